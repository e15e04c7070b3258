// Load is both ends of a measurement: a simulated vLLM, and the callers that ask it through a gateway.
//
// One thread does it all with epoll, so that it is cheaper than anything it measures, and so that both ends share one
// clock: every streamed chunk carries the moment it was sent. It prints where its upstream listens, then runs one
// scenario for every line of JSON on its standard input and answers each with one line of JSON. It ends with its input.
//
// It parses no JSON of a request and speaks only as much HTTP/1.1 as the two ends need. It opens no address but what
// its caller names.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "where the upstream accepts connections")
	model := flag.String("model", "bench", "the name of the model that it serves")
	flag.Parse()
	runtime.LockOSThread()
	debug.SetGCPercent(800)
	if err := serve(*listen, *model); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func serve(listen, model string) error {
	raiseFileLimit()
	loop, err := newLoop()
	if err != nil {
		return err
	}
	upstream, port, err := newUpstream(loop, listen, model)
	if err != nil {
		return err
	}
	if err := newConsole(loop, upstream); err != nil {
		return err
	}
	fmt.Printf("{\"port\": %d}\n", port)
	return loop.run()
}

// The callers and their upstream hold two descriptors for each stream.
func raiseFileLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}

// console reads scenarios from the standard input and prints what came of them.
type console struct {
	loop     *loop
	upstream *upstream
	text     []byte
	running  bool
	ended    bool
}

func newConsole(loop *loop, upstream *upstream) error {
	c := &console{loop: loop, upstream: upstream}
	if err := syscall.SetNonblock(0, true); err != nil {
		return err
	}
	return loop.watch(0, c, syscall.EPOLLIN)
}

func (c *console) ready(uint32) {
	var buffer [65536]byte
	for {
		n, err := syscall.Read(0, buffer[:])
		if err == syscall.EAGAIN {
			break
		}
		if err != nil || n == 0 {
			c.loop.forget(0)
			c.ended = true
			break
		}
		c.text = append(c.text, buffer[:n]...)
	}
	c.next()
}

func (c *console) next() {
	if c.running {
		return
	}
	line, rest, found := cutLine(c.text)
	if !found {
		if c.ended {
			c.loop.stop = true
		}
		return
	}
	c.text = rest
	c.running = true
	var wanted scenario
	if err := json.Unmarshal(line, &wanted); err != nil {
		c.answer(result{Error: "bad scenario: " + err.Error(), Errors: 1})
		return
	}
	if err := start(c.loop, c.upstream, wanted, c.answer); err != nil {
		c.answer(result{Error: err.Error(), Errors: 1})
	}
}

func (c *console) answer(r result) {
	text, err := json.Marshal(r)
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	os.Stdout.Write(append(text, '\n'))
	c.running = false
	c.loop.after(0, c.next)
}

func cutLine(text []byte) (line, rest []byte, found bool) {
	for i, b := range text {
		if b == '\n' {
			return text[:i], append([]byte(nil), text[i+1:]...), true
		}
	}
	return nil, text, false
}

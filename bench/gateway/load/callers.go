package main

import (
	"bytes"
	"fmt"
	"net"
	"syscall"
	"time"
)

// scenario is what the console is asked for.
type scenario struct {
	Target      string  `json:"target"`      // host:port
	Path        string  `json:"path"`        // of the POST
	Body        string  `json:"body"`        // as it is sent
	Connections int     `json:"connections"` // callers that each wait for their answer before they ask again
	Rate        float64 `json:"rate"`        // requests a second, whatever becomes of them, instead of Connections
	Stream      bool    `json:"stream"`
	Tokens      int     `json:"tokens"`   // of one stream
	PaceMs      float64 `json:"pace_ms"`  // between two tokens; 0: as fast as they are taken
	Burst       int     `json:"burst"`    // tokens that one write carries, where they go as fast as they are taken
	Lockstep    bool    `json:"lockstep"` // a token only when its caller has got the one before
	StaggerMs   float64 `json:"stagger_ms"`
	Warmup      float64 `json:"warmup"`  // seconds before anything is measured
	Seconds     float64 `json:"seconds"` // measured
	Units       int64   `json:"units"`   // requests or tokens after which the measurement ends earlier; 0: never
	Pids        []int   `json:"pids"`    // the processes whose time and memory are read
}

// result is what came of a scenario; durations are microseconds.
type result struct {
	Requests   int64   `json:"requests"`
	Tokens     int64   `json:"tokens"`
	Errors     int64   `json:"errors"`
	Error      string  `json:"error,omitempty"` // the first
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"` // of the processes
	OwnSeconds float64 `json:"own_seconds"` // of this one: near Seconds, it was the bottleneck
	RSSBytes   int64   `json:"rss_bytes"`   // of the processes, at the end of the measurement
	Active     int     `json:"active"`      // requests in flight then
	Latency    summary `json:"latency"`     // of whole answers
	First      summary `json:"first"`       // to the first token
	Transit    summary `json:"transit"`     // of a token, from the upstream to the caller
	Jitter     summary `json:"jitter"`      // between the transits of two tokens of a stream
}

const drainLimit = 10 * time.Second

// run is a scenario under way.
type run struct {
	scenario
	loop                            *loop
	upstream                        *upstream
	address                         *syscall.SockaddrInet4
	request                         []byte
	callers                         []*caller
	idle                            []*caller
	active                          int
	measuring                       bool
	draining                        bool
	over                            bool
	answered                        func(result)
	begun                           int64
	result                          result
	latency, first, transit, jitter histogram
}

func start(loop *loop, up *upstream, wanted scenario, answered func(result)) error {
	address, err := net.ResolveTCPAddr("tcp4", wanted.Target)
	if err != nil {
		return err
	}
	r := &run{scenario: wanted, loop: loop, upstream: up, address: socketAddress(address), answered: answered}
	r.request = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\nContent-Type: application/json\r\n"+
		"User-Agent: OpenAI/Python 2.45.0\r\nAuthorization: Bearer none\r\nContent-Length: %d\r\n\r\n%s",
		wanted.Path, wanted.Target, len(wanted.Body), wanted.Body)
	up.manner = manner{
		stream: wanted.Stream, tokens: wanted.Tokens, pace: int64(wanted.PaceMs * 1e6), burst: wanted.Burst,
		lockstep: wanted.Lockstep,
	}
	up.hurry = false
	stagger := wanted.StaggerMs * 1e6
	for i := range wanted.Connections {
		c := r.caller()
		if err := c.connect(); err != nil {
			return fmt.Errorf("%s: %w", wanted.Target, err)
		}
		loop.after(time.Duration(stagger*float64(i)/float64(wanted.Connections)), c.ask)
	}
	if wanted.Rate > 0 {
		r.arrive(loop.now())
	}
	loop.after(time.Duration(wanted.Warmup*1e9), r.begin)
	return nil
}

func (r *run) caller() *caller {
	c := &caller{run: r, wire: wire{loop: r.loop, fd: -1}}
	r.callers = append(r.callers, c)
	return c
}

// arrive is the next request of an open loop.
func (r *run) arrive(due int64) {
	if r.draining {
		return
	}
	var c *caller
	if n := len(r.idle); n > 0 {
		c, r.idle = r.idle[n-1], r.idle[:n-1]
	} else {
		c = r.caller()
	}
	c.ask()
	next := due + int64(1e9/r.Rate)
	r.loop.at(next, func() { r.arrive(next) })
}

func (r *run) begin() {
	r.result = result{CPUSeconds: -processorSeconds(r.Pids), OwnSeconds: -ownSeconds()}
	r.begun = r.loop.now()
	r.measuring = true
	r.loop.after(time.Duration(r.Seconds*1e9), r.end)
}

func (r *run) end() {
	if !r.measuring {
		return
	}
	r.measuring = false
	r.result.Seconds = float64(r.loop.now()-r.begun) / 1e9
	r.result.CPUSeconds += processorSeconds(r.Pids)
	r.result.OwnSeconds += ownSeconds()
	r.result.RSSBytes = residentBytes(r.Pids)
	r.result.Active = r.active
	r.draining = true
	r.upstream.hurry = true
	for slot, s := range r.upstream.slots { // in lockstep nobody else moves them on
		if r.Lockstep && s.left > 0 {
			r.upstream.advance(slot)
		}
	}
	r.loop.after(drainLimit, r.finish)
	r.settle()
}

// enough ends the measurement when all units that were asked for are there.
func (r *run) enough(units int64) {
	if r.Units > 0 && units >= r.Units {
		r.end()
	}
}

// settle ends the run when nothing is in flight any more.
func (r *run) settle() {
	if r.draining && r.active == 0 {
		r.finish()
	}
}

func (r *run) finish() {
	if r.over {
		return
	}
	r.over = true
	r.upstream.manner, r.upstream.hurry = manner{}, false
	for _, c := range r.callers {
		c.close()
	}
	r.result.Latency, r.result.First = r.latency.summary(), r.first.summary()
	r.result.Transit, r.result.Jitter = r.transit.summary(), r.jitter.summary()
	r.answered(r.result)
}

func (r *run) fail(format string, values ...any) {
	r.result.Errors++
	if r.result.Error == "" {
		r.result.Error = fmt.Sprintf(format, values...)
	}
}

// caller is one connection to the target.
type caller struct {
	wire
	run      *run
	waiting  bool
	good     bool
	closing  bool
	seen     bool // the first token
	sent     int64
	now      int64 // when what is being read was read
	transit  int64 // of the token before
	failures int
}

const patience = 20 // failures in a row after which a caller asks no more

func (c *caller) connect() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := syscall.Connect(fd, c.run.address); err != nil {
		syscall.Close(fd)
		return err
	}
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if err := syscall.SetNonblock(fd, true); err != nil {
		return err
	}
	c.wire = wire{loop: c.loop, fd: fd}
	return c.loop.watch(fd, c, syscall.EPOLLIN)
}

func (c *caller) close() {
	if c.fd >= 0 {
		c.loop.forget(c.fd)
		syscall.Close(c.fd)
		c.fd = -1
	}
}

func (c *caller) ask() {
	if c.run.draining {
		return
	}
	if c.fd < 0 {
		if err := c.connect(); err != nil {
			c.run.fail("connect: %v", err)
			return
		}
	}
	c.waiting, c.good, c.seen, c.closing, c.transit = true, false, false, false, -1
	c.run.active++
	c.sent = c.loop.now()
	if !c.send(c.run.request) {
		c.broken("the connection broke while asking")
	}
}

func (c *caller) ready(events uint32) {
	if events&syscall.EPOLLOUT != 0 && !c.flush() {
		c.broken("the connection broke while asking")
		return
	}
	if events&^uint32(syscall.EPOLLOUT) == 0 {
		return
	}
	n, err := read(c.fd, c.loop.shared)
	if err == syscall.EAGAIN {
		return
	}
	if err != 0 || n == 0 {
		c.broken("the connection ended")
		return
	}
	c.now = c.loop.now()
	if !c.receive(c.loop.shared[:n], c) && c.fd >= 0 {
		c.broken("the answer is not understood")
	}
}

// broken is a connection that ended; of an idle one that is its owner's right.
func (c *caller) broken(why string) {
	c.close()
	if !c.waiting {
		return
	}
	c.waiting = false
	c.run.active--
	c.failures++
	c.run.fail("%s", why)
	c.again()
	c.run.settle()
}

func (c *caller) again() {
	switch {
	case c.run.draining || c.failures > patience:
	case c.run.Rate > 0:
		c.run.idle = append(c.run.idle, c)
	default:
		c.ask()
	}
}

func (c *caller) opened(head []byte) (int64, bool) {
	c.good = len(head) > 12 && string(head[9:12]) == "200"
	length, chunked, closing := framing(head)
	c.closing = closing
	if !c.good {
		c.run.fail("%.300s", head)
	}
	return length, chunked
}

func (c *caller) content(data []byte) {
	r := c.run
	if !c.good && r.result.Errors == 1 {
		r.result.Error += string(data[:min(len(data), 300)])
	}
	if !r.Stream {
		return
	}
	n := bytes.Count(data, []byte{stampMark})
	if n == 0 {
		return
	}
	if !c.seen {
		c.seen = true
		if r.measuring {
			r.first.add(c.now - c.sent)
		}
	}
	if r.measuring {
		r.result.Tokens += int64(n)
		r.enough(r.result.Tokens)
	}
	if r.PaceMs > 0 || r.Lockstep {
		c.stamps(data)
	}
}

func (c *caller) stamps(data []byte) {
	r := c.run
	for {
		at := bytes.IndexByte(data, stampMark)
		if at < 0 {
			return
		}
		data = data[at+1:]
		slot, sent, whole := readStamp(data)
		if !whole { // cut by the read: its time is lost, the token is not
			return
		}
		if r.Lockstep {
			r.upstream.advance(slot)
		}
		transit := c.now - sent
		if r.measuring {
			r.transit.add(transit)
			if c.transit >= 0 {
				r.jitter.add(max(transit-c.transit, c.transit-transit))
			}
		}
		c.transit = transit
	}
}

func (c *caller) closed() bool {
	r := c.run
	c.waiting = false
	r.active--
	if c.good {
		c.failures = 0
	} else {
		c.failures++
	}
	if r.measuring && c.good {
		r.result.Requests++
		r.latency.add(c.now - c.sent)
		if !r.Stream {
			r.enough(r.result.Requests)
		}
	}
	if c.closing {
		c.close()
	}
	c.again()
	r.settle()
	return c.fd >= 0
}

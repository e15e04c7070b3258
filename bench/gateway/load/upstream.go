package main

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// manner is how the upstream answers while a scenario runs.
type manner struct {
	stream   bool
	tokens   int   // of one stream
	pace     int64 // nanoseconds between two tokens; 0: as fast as they are taken
	burst    int   // tokens that one write carries then
	lockstep bool  // a token only when the caller has got the one before
}

// upstream is a vLLM that has thought of everything before it is asked, and an Ollama to its prober.
type upstream struct {
	loop                         *loop
	fd                           int
	pages                        map[string][]byte
	answer                       []byte
	opening, role, token, ending []byte
	stamp                        int    // where the stamp stands in a token
	several                      []byte // tokens for one write
	manner                       manner
	hurry                        bool // streams end at their next token
	fast                         []*session
	slots                        []*session
}

// stampMark stands before the digits of a stamp, and nowhere else: counting it counts tokens.
const (
	stampMark  = '~'
	slotDigits = 4
	tickDigits = 12
	tick       = 100 // nanoseconds
)

const uvicorn = "HTTP/1.1 200 OK\r\ndate: Sun, 22 Nov 2026 14:02:22 GMT\r\nserver: uvicorn\r\n"

func newUpstream(loop *loop, listen, model string) (*upstream, int, error) {
	address, err := net.ResolveTCPAddr("tcp4", listen)
	if err != nil {
		return nil, 0, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, err
	}
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err := syscall.Bind(fd, socketAddress(address)); err != nil {
		return nil, 0, err
	}
	if err := syscall.Listen(fd, 4096); err != nil {
		return nil, 0, err
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		return nil, 0, err
	}
	u := &upstream{loop: loop, fd: fd}
	u.write(model)
	loop.eager = u.step
	return u, bound.(*syscall.SockaddrInet4).Port, loop.watch(fd, u, syscall.EPOLLIN)
}

func socketAddress(address *net.TCPAddr) *syscall.SockaddrInet4 {
	found := &syscall.SockaddrInet4{Port: address.Port}
	copy(found.Addr[:], address.IP.To4())
	return found
}

// write makes all answers, as a real vLLM frames them.
func (u *upstream) write(model string) {
	document := func(text string) []byte {
		return fmt.Appendf(nil, "%scontent-length: %d\r\ncontent-type: application/json\r\n\r\n%s", uvicorn, len(text), text)
	}
	event := func(text string) []byte {
		text = "data: " + text + "\n\n"
		return fmt.Appendf(nil, "%x\r\n%s\r\n", len(text), text)
	}
	chunk := `{"id":"chatcmpl-b05ad4b3b88b39a9","object":"chat.completion.chunk","created":1795356143,"model":"` + model + `",`
	digits := strings.Repeat("0", slotDigits+tickDigits)
	u.pages = map[string][]byte{
		"/health":      fmt.Appendf(nil, "%scontent-length: 0\r\n\r\n", uvicorn),
		"/v1/models":   document(`{"object":"list","data":[{"id":"` + model + `","object":"model","created":1795356143,"owned_by":"vllm","root":"` + model + `","parent":null,"max_model_len":32768}]}`),
		"/version":     document(`{"version":"0.33.0"}`),
		"/api/version": document(`{"version":"0.33.0"}`),
		"/api/tags":    document(`{"models":[{"name":"` + model + `:latest","model":"` + model + `:latest"}]}`),
		"/api/ps":      document(`{"models":[]}`),
	}
	u.answer = document(`{"id":"chatcmpl-b05ad4b3b88b39a9","object":"chat.completion","created":1795356143,"model":"` + model + `","choices":[{"index":0,"message":{"role":"assistant","content":"Twenty-three degrees and no wind.","refusal":null,"annotations":null,"audio":null,"function_call":null,"reasoning":null},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":null}],"service_tier":null,"system_fingerprint":null,"usage":{"prompt_tokens":27,"total_tokens":36,"completion_tokens":9,"prompt_tokens_details":null},"prompt_logprobs":null,"prompt_token_ids":null,"kv_transfer_params":null}`)
	u.opening = []byte(uvicorn + "content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n")
	u.role = event(chunk + `"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null}`)
	u.token = event(chunk + `"choices":[{"index":0,"delta":{"content":"` + string(stampMark) + digits + `"},"logprobs":null,"finish_reason":null,"token_ids":null}]}`)
	u.stamp = bytes.IndexByte(u.token, stampMark) + 1
	u.ending = bytes.Join([][]byte{
		event(chunk + `"choices":[{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":null}]}`),
		event(chunk + `"choices":[],"usage":{"prompt_tokens":27,"total_tokens":36,"completion_tokens":9}}`),
		event("[DONE]"),
		[]byte("0\r\n\r\n"),
	}, nil)
}

// ready accepts.
func (u *upstream) ready(uint32) {
	for {
		fd, _, err := syscall.Accept4(u.fd, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
		s := &session{upstream: u, wire: wire{loop: u.loop, fd: fd}, slot: len(u.slots)}
		s.paced = s.next
		u.slots = append(u.slots, s)
		if u.loop.watch(fd, s, syscall.EPOLLIN) != nil {
			syscall.Close(fd)
		}
	}
}

// step gives every fast stream that takes it one write.
func (u *upstream) step() bool {
	kept := u.fast[:0]
	for _, s := range u.fast {
		if s.emit() && s.left > 0 && !s.blocked() {
			kept = append(kept, s)
		} else {
			s.listed = false
		}
	}
	u.fast = kept
	return len(kept) > 0
}

// advance gives a stream in lockstep its next token.
func (u *upstream) advance(slot int) {
	if slot < len(u.slots) && u.slots[slot].left > 0 {
		u.slots[slot].emit()
	}
}

// session is one connection to the upstream.
type session struct {
	wire
	upstream *upstream
	slot     int
	page     []byte // nil: the scenario's answer
	left     int    // tokens to come
	due      int64
	listed   bool // among the fast
	paced    func()
	gone     bool
}

func (s *session) ready(events uint32) {
	if events&syscall.EPOLLOUT != 0 {
		if !s.flush() {
			s.close()
			return
		}
		if !s.blocked() && s.left > 0 && s.upstream.isFast() && !s.listed {
			s.list()
		}
	}
	if events&^uint32(syscall.EPOLLOUT) == 0 {
		return
	}
	n, err := read(s.fd, s.loop.shared)
	if err == syscall.EAGAIN {
		return
	}
	if err != 0 || n == 0 || !s.receive(s.loop.shared[:n], s) {
		s.close()
	}
}

func (u *upstream) isFast() bool { return u.manner.pace == 0 && !u.manner.lockstep }

func (s *session) list() {
	s.listed = true
	s.upstream.fast = append(s.upstream.fast, s)
}

func (s *session) close() {
	if !s.gone {
		s.gone = true
		s.left = 0
		s.loop.forget(s.fd)
		syscall.Close(s.fd)
	}
}

func (s *session) opened(head []byte) (int64, bool) {
	s.page = nil
	if bytes.HasPrefix(head, []byte("GET ")) || bytes.HasPrefix(head, []byte("HEAD ")) {
		path, _, _ := bytes.Cut(head[bytes.IndexByte(head, ' ')+1:], []byte(" "))
		s.page = s.upstream.pages[string(path)]
		if s.page == nil {
			s.page = []byte("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
		}
	}
	length, chunked, _ := framing(head)
	return length, chunked
}

func (s *session) content([]byte) {}

func (s *session) closed() bool {
	u := s.upstream
	if s.page != nil {
		return s.send(s.page)
	}
	if !u.manner.stream {
		return s.send(u.answer)
	}
	// Head, first event and first token travel apart, as uvicorn writes them.
	if !s.send(u.opening) || !s.send(u.role) {
		return false
	}
	s.left = u.manner.tokens
	s.due = s.loop.now()
	switch {
	case u.isFast():
		s.list()
	case u.manner.lockstep:
		return s.emit()
	default:
		s.next()
	}
	return !s.gone
}

// next sends a paced token and sees to the one after it.
func (s *session) next() {
	if s.gone || s.left == 0 || !s.emit() || s.left == 0 {
		return
	}
	s.due = max(s.due+s.upstream.manner.pace, s.loop.now())
	s.loop.at(s.due, s.paced)
}

// emit sends one token, or as many as one write carries, and the end after the last.
func (s *session) emit() bool {
	u := s.upstream
	if s.gone {
		return false
	}
	if u.hurry {
		s.left = 0
		if !s.send(u.ending) {
			s.close()
		}
		return false
	}
	digits := u.token[u.stamp : u.stamp+slotDigits+tickDigits]
	putDecimal(digits[:slotDigits], int64(s.slot))
	putDecimal(digits[slotDigits:], s.loop.now()/tick)
	tokens := u.token
	s.left--
	if u.isFast() && u.manner.burst > 1 {
		more := min(u.manner.burst-1, s.left)
		s.left -= more
		u.several = append(u.several[:0], u.token...)
		for range more {
			u.several = append(u.several, u.token...)
		}
		tokens = u.several
	}
	sent := s.send(tokens)
	if sent && s.left == 0 {
		sent = s.send(u.ending)
	}
	if !sent {
		s.close()
	}
	return sent
}

func putDecimal(into []byte, value int64) {
	for i := len(into) - 1; i >= 0; i-- {
		into[i] = byte('0' + value%10)
		value /= 10
	}
}

// readStamp tells which stream a token is of and when it was sent; digits are those after the mark.
func readStamp(digits []byte) (slot int, sent int64, ok bool) {
	if len(digits) < slotDigits+tickDigits {
		return 0, 0, false
	}
	slot, err := strconv.Atoi(string(digits[:slotDigits]))
	ticks, err2 := strconv.ParseInt(string(digits[slotDigits:slotDigits+tickDigits]), 10, 64)
	return slot, ticks * tick, err == nil && err2 == nil
}

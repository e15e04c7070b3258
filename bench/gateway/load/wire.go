package main

import (
	"bytes"
	"syscall"
)

// wire is one connection: what could not be written yet, and the message that is being read.
type wire struct {
	loop   *loop
	fd     int
	head   []byte // of a message whose head has not come whole
	out    []byte // what the socket did not take
	inBody bool
	body   body
}

// send writes what the socket takes and keeps the rest. False: the connection is broken.
func (w *wire) send(data []byte) bool {
	if len(w.out) > 0 {
		w.out = append(w.out, data...)
		return true
	}
	n, err := write(w.fd, data)
	if err != 0 && err != syscall.EAGAIN {
		return false
	}
	if n < len(data) {
		w.out = append(w.out, data[n:]...)
		w.loop.change(w.fd, syscall.EPOLLIN|syscall.EPOLLOUT)
	}
	return true
}

// flush goes on writing. False: the connection is broken.
func (w *wire) flush() bool {
	if len(w.out) == 0 {
		return true
	}
	n, err := write(w.fd, w.out)
	if err == syscall.EAGAIN {
		return true
	}
	if err != 0 {
		return false
	}
	w.out = w.out[:copy(w.out, w.out[n:])]
	if len(w.out) == 0 {
		w.loop.change(w.fd, syscall.EPOLLIN)
	}
	return true
}

func (w *wire) blocked() bool { return len(w.out) > 0 }

// message is what a wire reads: a request for the upstream, an answer for a caller.
type message interface {
	opened(head []byte) (length int64, chunked bool) // its head has come whole
	content(data []byte)
	closed() bool // it has come to its end; false: read no further
}

var blank = []byte("\r\n\r\n")

// receive hands on what was read. False: what came is no HTTP, or nobody wants more.
func (w *wire) receive(data []byte, to message) bool {
	for len(data) > 0 {
		if !w.inBody {
			head := data
			if len(w.head) > 0 {
				w.head = append(w.head, data...)
				head = w.head
			}
			end := bytes.Index(head, blank)
			if end < 0 {
				if len(w.head) == 0 {
					w.head = append(w.head, data...)
				}
				return len(w.head) < 1<<16
			}
			rest := data[len(data)-(len(head)-end-len(blank)):]
			length, chunked := to.opened(head[:end+2])
			w.head = w.head[:0]
			w.inBody = true
			w.body = body{left: length, chunked: chunked}
			data = rest
		}
		used, done, ok := w.body.walk(data, to)
		if !ok {
			return false
		}
		data = data[used:]
		if done {
			w.inBody = false
			if !to.closed() {
				return false
			}
		}
	}
	return true
}

// body walks the framing of one message.
type body struct {
	left    int64 // of the whole, or of the chunk
	chunked bool
	state   int
}

const (
	atSize = iota
	atExtension
	atSizeEnd
	atData
	atDataEnd
	atTrailer
	atTrailerLine
	atTrailerEnd
)

func (b *body) walk(data []byte, to message) (used int, done, ok bool) {
	if !b.chunked {
		n := int(min(b.left, int64(len(data))))
		if n > 0 {
			to.content(data[:n])
		}
		b.left -= int64(n)
		return n, b.left == 0, true
	}
	i := 0
	for i < len(data) {
		c := data[i]
		switch b.state {
		case atSize:
			switch digit := hex(c); {
			case digit >= 0:
				b.left = b.left<<4 | int64(digit)
			case c == ';':
				b.state = atExtension
			case c == '\r':
				b.state = atSizeEnd
			default:
				return i, false, false
			}
			i++
		case atExtension:
			if c == '\r' {
				b.state = atSizeEnd
			}
			i++
		case atSizeEnd:
			i++
			b.state = atData
			if b.left == 0 {
				b.state = atTrailer
			}
		case atData:
			n := int(min(b.left, int64(len(data)-i)))
			to.content(data[i : i+n])
			b.left -= int64(n)
			i += n
			if b.left == 0 {
				b.state = atDataEnd
			}
		case atDataEnd:
			i++
			if c == '\n' {
				b.state = atSize
			}
		case atTrailer:
			i++
			if c == '\r' {
				b.state = atTrailerEnd
			} else {
				b.state = atTrailerLine
			}
		case atTrailerLine:
			i++
			if c == '\n' {
				b.state = atTrailer
			}
		case atTrailerEnd:
			return i + 1, true, true
		}
	}
	return i, false, true
}

func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// framing reads how long a message is, and whether its connection ends with it.
func framing(head []byte) (length int64, chunked, closing bool) {
	for len(head) > 0 {
		end := bytes.IndexByte(head, '\n')
		if end < 0 {
			break
		}
		line := head[:end]
		head = head[end+1:]
		colon := bytes.IndexByte(line, ':')
		if colon < 0 {
			continue
		}
		name, value := line[:colon], bytes.TrimSpace(line[colon+1:])
		switch len(name) {
		case len("content-length"):
			if bytes.EqualFold(name, []byte("content-length")) {
				for _, c := range value {
					length = length*10 + int64(c-'0')
				}
			}
		case len("transfer-encoding"):
			if bytes.EqualFold(name, []byte("transfer-encoding")) {
				chunked = bytes.Contains(bytes.ToLower(value), []byte("chunked"))
			}
		case len("connection"):
			if bytes.EqualFold(name, []byte("connection")) {
				closing = bytes.EqualFold(value, []byte("close"))
			}
		}
	}
	return length, chunked, closing
}

package main

import (
	"syscall"
	"time"
	"unsafe"
)

// handler is told when its descriptor can be read or written.
type handler interface{ ready(events uint32) }

// loop is the one thread: descriptors, moments to come, and what wants to go on without waiting.
type loop struct {
	poll     int
	handlers []handler
	moments  moments
	epoch    time.Time
	eager    func() bool // does some work that never waits; true: there is more
	stop     bool
	shared   []byte // what is read goes here first
}

func newLoop() (*loop, error) {
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	// Without this the kernel may wake us 50 microseconds late.
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerSlack, 1, 0)
	return &loop{poll: poll, epoch: time.Now(), shared: make([]byte, 1<<20)}, nil
}

const prSetTimerSlack = 29

// now is the time in nanoseconds since the start.
func (l *loop) now() int64 { return int64(time.Since(l.epoch)) }

func (l *loop) watch(fd int, h handler, events uint32) error {
	for len(l.handlers) <= fd {
		l.handlers = append(l.handlers, nil)
	}
	l.handlers[fd] = h
	return syscall.EpollCtl(l.poll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: events, Fd: int32(fd)})
}

func (l *loop) change(fd int, events uint32) {
	_ = syscall.EpollCtl(l.poll, syscall.EPOLL_CTL_MOD, fd, &syscall.EpollEvent{Events: events, Fd: int32(fd)})
}

func (l *loop) forget(fd int) {
	l.handlers[fd] = nil
	_ = syscall.EpollCtl(l.poll, syscall.EPOLL_CTL_DEL, fd, &syscall.EpollEvent{})
}

// at calls a function at a moment, after one in so many nanoseconds from now.
func (l *loop) at(due int64, do func()) { l.moments.push(moment{due, do}) }

func (l *loop) after(delay time.Duration, do func()) { l.at(l.now()+int64(delay), do) }

func (l *loop) run() error {
	events := make([]syscall.EpollEvent, 1024)
	more := false
	for !l.stop {
		wait := int64(-1)
		if more {
			wait = 0
		} else if len(l.moments) > 0 {
			wait = max(0, l.moments[0].due-l.now())
		}
		n, err := l.wait(events, wait)
		if err != 0 && err != syscall.EINTR {
			return err
		}
		for _, event := range events[:n] {
			if h := l.handlers[event.Fd]; h != nil {
				h.ready(event.Events)
			}
		}
		for len(l.moments) > 0 && l.moments[0].due <= l.now() {
			l.moments.pop().do()
		}
		more = l.eager != nil && l.eager()
	}
	return nil
}

const sysEpollPwait2 = 441

func (l *loop) wait(events []syscall.EpollEvent, ns int64) (int, syscall.Errno) {
	var limit *syscall.Timespec
	if ns >= 0 {
		spec := syscall.NsecToTimespec(ns)
		limit = &spec
	}
	first := uintptr(unsafe.Pointer(&events[0]))
	if ns == 0 {
		n, _, err := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(l.poll), first, uintptr(len(events)), 0, 0, 0)
		if err != 0 {
			return 0, err
		}
		return int(n), 0
	}
	n, _, err := syscall.Syscall6(
		sysEpollPwait2, uintptr(l.poll), first, uintptr(len(events)), uintptr(unsafe.Pointer(limit)), 0, 0,
	)
	if err != 0 {
		return 0, err
	}
	return int(n), 0
}

// read and write never block, so the scheduler of Go need not know of them.
func read(fd int, into []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&into[0])), uintptr(len(into)))
	return int(n), err
}

func write(fd int, from []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&from[0])), uintptr(len(from)))
	if err != 0 {
		return 0, err
	}
	return int(n), 0
}

type moment struct {
	due int64
	do  func()
}

// moments is a heap: the earliest stands first.
type moments []moment

func (m *moments) push(one moment) {
	heap := append(*m, one)
	i := len(heap) - 1
	for i > 0 && heap[(i-1)/2].due > one.due {
		heap[i] = heap[(i-1)/2]
		i = (i - 1) / 2
	}
	heap[i] = one
	*m = heap
}

func (m *moments) pop() moment {
	heap := *m
	first, last := heap[0], heap[len(heap)-1]
	heap[len(heap)-1] = moment{}
	heap = heap[:len(heap)-1]
	i := 0
	for {
		child := 2*i + 1
		if child >= len(heap) {
			break
		}
		if child+1 < len(heap) && heap[child+1].due < heap[child].due {
			child++
		}
		if heap[child].due >= last.due {
			break
		}
		heap[i] = heap[child]
		i = child
	}
	if len(heap) > 0 {
		heap[i] = last
	}
	*m = heap
	return first
}

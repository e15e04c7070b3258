package main

import (
	"math/bits"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// histogram counts durations in buckets of under one percent.
type histogram struct {
	counts [64 * perOctave]int64
	total  int64
	sum    float64
	most   int64
}

const perOctave = 128

func (h *histogram) add(ns int64) {
	ns = max(ns, 1)
	h.counts[bucket(ns)]++
	h.total++
	h.sum += float64(ns)
	h.most = max(h.most, ns)
}

func bucket(ns int64) int {
	octave := bits.Len64(uint64(ns)) - 1
	if octave < 7 {
		return int(ns)
	}
	return (octave-6)*perOctave + int(ns>>(octave-7))&(perOctave-1)
}

// middle of a bucket, in nanoseconds.
func middle(index int) float64 {
	octave := index/perOctave + 6
	if octave == 6 {
		return float64(index)
	}
	return (float64(perOctave+index%perOctave) + 0.5) * float64(int64(1)<<(octave-7))
}

// summary is a histogram in a few numbers, in microseconds.
type summary struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

func (h *histogram) summary() summary {
	if h.total == 0 {
		return summary{}
	}
	return summary{
		Count: h.total,
		Mean:  h.sum / float64(h.total) / 1e3,
		P50:   h.quantile(0.5), P90: h.quantile(0.9), P99: h.quantile(0.99),
		Max: float64(h.most) / 1e3,
	}
}

func (h *histogram) quantile(q float64) float64 {
	wanted := int64(q * float64(h.total))
	var seen int64
	for index, count := range h.counts {
		seen += count
		if seen > wanted {
			return middle(index) / 1e3
		}
	}
	return float64(h.most) / 1e3
}

// processorSeconds is what processes have used so far, all threads of each, to the nanosecond.
func processorSeconds(pids []int) float64 {
	var sum float64
	for _, pid := range pids {
		clock := uintptr(^pid<<3 | 2) // the clock of a process, as clock_getcpuclockid(3) makes it
		var spec syscall.Timespec
		_, _, err := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&spec)), 0)
		if err == 0 {
			sum += float64(spec.Sec) + float64(spec.Nsec)/1e9
		}
	}
	return sum
}

func ownSeconds() float64 { return processorSeconds([]int{os.Getpid()}) }

// residentBytes is the resident memory of processes; what they share counts in each.
func residentBytes(pids []int) int64 {
	var pages int64
	for _, pid := range pids {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
		if err != nil {
			continue
		}
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			found, _ := strconv.ParseInt(fields[1], 10, 64)
			pages += found
		}
	}
	return pages * int64(os.Getpagesize())
}

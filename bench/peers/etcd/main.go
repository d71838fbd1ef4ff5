// A load generator for etcd on its own client, the twin of pollux-bench: it prints one JSON line.
//
// Closed loop (-rate 0): each of -clients workers keeps one operation outstanding. Open loop:
// operations start by the clock at -rate per second, and a latency counts from the time at which
// the operation was due, so that a stall is not hidden by the operations that it held back.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
)

const outstandingMax = 65536

type options struct {
	endpoints   []string
	op          string
	clients     int
	connections int
	rate        int
	seconds     float64
	warmup      float64
	size        int
	keys        int
}

type report struct {
	System    string   `json:"system"`
	Op        string   `json:"op"`
	Clients   int      `json:"clients"`
	Rate      int      `json:"rate"`
	Seconds   float64  `json:"seconds"`
	Finished  int      `json:"finished"`
	OwnSecond int      `json:"finished_in_own_second"`
	Errors    int64    `json:"errors"`
	PerSecond float64  `json:"per_second"`
	P50       float64  `json:"p50_us"`
	P99       float64  `json:"p99_us"`
	Max       float64  `json:"max_us"`
	Series    []second `json:"series"`
}

// second is what finished in it, whenever it was due.
type second struct {
	Finished int `json:"finished"`
}

// sample is one finished operation: when it was due and when it ended, from the start of measuring.
type sample struct{ due, end time.Duration }

type bench struct {
	options
	connection []*clientv3.Client
	value      string
	swaps      []string // per worker: the value that its key holds
	errors     int64
}

func (b *bench) client(worker int) *clientv3.Client {
	return b.connection[worker%len(b.connection)]
}

// one runs the operation number `number` as worker `worker`; false when it failed.
func (b *bench) one(worker, number int) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	key := fmt.Sprintf("key-%08d", (worker*7919+number)%b.keys)
	var err error
	ok := true
	switch b.op {
	case "put":
		_, err = b.client(worker).Put(ctx, key, b.value)
	case "get":
		_, err = b.client(worker).Get(ctx, key)
	case "get-serializable":
		_, err = b.client(worker).Get(ctx, key, clientv3.WithSerializable())
	case "swap":
		ok, err = b.swap(ctx, worker, number)
	}
	if err != nil || !ok {
		atomic.AddInt64(&b.errors, 1)
		return false
	}
	return true
}

func (b *bench) swap(ctx context.Context, worker, number int) (bool, error) {
	key := fmt.Sprintf("swap-%08d", worker)
	next := fmt.Sprintf("%0*d", b.size, number)
	reply, err := b.client(worker).Txn(ctx).
		If(clientv3.Compare(clientv3.Value(key), "=", b.swaps[worker])).
		Then(clientv3.OpPut(key, next)).Commit()
	if err != nil {
		return false, err
	}
	if reply.Succeeded {
		b.swaps[worker] = next
	}
	return reply.Succeeded, nil
}

// prepare stores what the gets read and what the swaps expect.
func (b *bench) prepare() error {
	b.swaps = make([]string, b.clients)
	if b.op == "put" {
		return nil
	}
	count := b.keys
	if b.op == "swap" {
		count = b.clients
	}
	var failure atomic.Value
	var group sync.WaitGroup
	for worker := 0; worker < 64; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for i := worker; i < count; i += 64 {
				key := fmt.Sprintf("key-%08d", i)
				if b.op == "swap" {
					key = fmt.Sprintf("swap-%08d", i)
					b.swaps[i] = b.value
				}
				if _, err := b.client(worker).Put(context.Background(), key, b.value); err != nil {
					failure.Store(err)
				}
			}
		}(worker)
	}
	group.Wait()
	if err, ok := failure.Load().(error); ok {
		return err
	}
	return nil
}

// closedLoop keeps one operation of each worker outstanding until `until`.
func (b *bench) closedLoop(begin, until time.Time) [][]sample {
	samples := make([][]sample, b.clients)
	var group sync.WaitGroup
	for worker := range samples {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for number := 0; ; number++ {
				due := time.Now()
				if due.After(until) {
					return
				}
				if b.one(worker, number) && due.After(begin) {
					samples[worker] = append(samples[worker],
						sample{due.Sub(begin), time.Since(begin)})
				}
			}
		}(worker)
	}
	group.Wait()
	return samples
}

// openLoop hands due operations to the workers by the clock.
func (b *bench) openLoop(begin, until time.Time) [][]sample {
	samples := make([][]sample, b.clients)
	due := make(chan time.Time, outstandingMax)
	var group sync.WaitGroup
	for worker := range samples {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			number := 0
			for at := range due {
				number++
				if b.one(worker, number) && at.After(begin) {
					samples[worker] = append(samples[worker],
						sample{at.Sub(begin), time.Since(begin)})
				}
			}
		}(worker)
	}
	interval := time.Duration(float64(time.Second) / float64(b.rate))
	for at := time.Now(); at.Before(until); at = at.Add(interval) {
		if wait := time.Until(at); wait > 0 {
			time.Sleep(wait)
		}
		due <- at
	}
	close(due)
	group.Wait()
	return samples
}

func (b *bench) run() report {
	begin := time.Now().Add(time.Duration(b.warmup * float64(time.Second)))
	until := begin.Add(time.Duration(b.seconds * float64(time.Second)))
	var samples [][]sample
	if b.rate > 0 {
		samples = b.openLoop(begin, until)
	} else {
		samples = b.closedLoop(begin, until)
	}
	result := report{System: "etcd", Op: b.op, Clients: b.clients, Rate: b.rate,
		Seconds: b.seconds, Errors: b.errors}
	var latencies []float64
	result.Series = make([]second, int(math.Ceil(b.seconds)))
	for _, of := range samples {
		for _, s := range of {
			if s.end.Seconds() <= b.seconds {
				result.Finished++
			}
			if at := int(s.end.Seconds()); at >= 0 && at < len(result.Series) {
				result.Series[at].Finished++
			}
			if int(s.end.Seconds()) == int(s.due.Seconds()) {
				result.OwnSecond++
			}
			latencies = append(latencies, float64((s.end-s.due).Nanoseconds())/1000)
		}
	}
	sort.Float64s(latencies)
	result.PerSecond = float64(result.Finished) / b.seconds
	if n := len(latencies); n > 0 {
		result.P50, result.P99, result.Max = latencies[n/2], latencies[n*99/100], latencies[n-1]
	}
	return result
}

// ready waits until the cluster answers a linearizable get.
func (b *bench) ready() error {
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err = b.connection[0].Get(ctx, "ready")
		cancel()
		if err == nil {
			return nil
		}
	}
	return err
}

func parse() *bench {
	b := &bench{}
	endpoints := flag.String("endpoints", "127.0.0.1:23791", "comma-separated host:port")
	flag.StringVar(&b.op, "op", "put", "put, get, get-serializable, swap, or ready")
	flag.IntVar(&b.clients, "clients", 1, "workers")
	flag.IntVar(&b.connections, "connections", 0, "connections; 0: one per worker, 64 at most")
	flag.IntVar(&b.rate, "rate", 0, "operations offered per second; 0: closed loop")
	flag.Float64Var(&b.seconds, "seconds", 5, "measured seconds")
	flag.Float64Var(&b.warmup, "warmup", 1, "seconds before measuring begins")
	flag.IntVar(&b.size, "size", 64, "bytes of a value")
	flag.IntVar(&b.keys, "keys", 10000, "distinct keys")
	flag.Parse()
	b.endpoints = strings.Split(*endpoints, ",")
	switch b.op {
	case "put", "get", "get-serializable", "swap", "ready":
	default:
		fail(fmt.Errorf("unknown operation %q", b.op))
	}
	if b.op == "swap" && b.rate > 0 {
		fail(fmt.Errorf("swap is measured in a closed loop only"))
	}
	if b.clients < 1 || b.keys < 1 || b.size < 1 || b.seconds <= 0 {
		fail(fmt.Errorf("clients, keys, size and seconds are positive"))
	}
	if b.connections == 0 {
		b.connections = b.clients
		if b.connections > 64 {
			b.connections = 64
		}
	}
	b.value = strings.Repeat("v", b.size)
	return b
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "etcd-bench:", err)
	os.Exit(1)
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "answers" {
		if err := answersMain(os.Args[2:]); err != nil {
			fail(err)
		}
		return
	}
	b := parse()
	for i := 0; i < b.connections; i++ {
		client, err := clientv3.New(clientv3.Config{Endpoints: b.endpoints,
			DialTimeout: 30 * time.Second})
		if err != nil {
			fail(err)
		}
		defer client.Close()
		b.connection = append(b.connection, client)
	}
	if err := b.ready(); err != nil {
		fail(err)
	}
	if b.op == "ready" {
		return
	}
	if err := b.prepare(); err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(b.run()); err != nil {
		fail(err)
	}
}

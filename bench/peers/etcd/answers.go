// What etcd answers to swaps, sets and gets in one state of the cluster, and what had become of
// them: the twin of bench/answers.c, with the same words and the same files.
//
//	etcd-bench answers -endpoints E prepare STATE...        stores "old" under each key
//	etcd-bench answers -endpoints E ask STATE RECORD        asks; a line of RECORD for each answer
//	etcd-bench answers -endpoints E truth STATE... TRUTH    what each key holds now
//	etcd-bench answers -endpoints E leader                  which endpoint leads, from 1
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
)

var kinds = []string{"swap", "set", "get", "get-relaxed"}

type answers struct {
	endpoints []string
	client    *clientv3.Client
	count     int
	window    time.Duration
	timeout   time.Duration
}

func (a *answers) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), a.timeout)
}

// one makes a call and says how it was answered.
func (a *answers) one(kind, state string, number int) string {
	ctx, cancel := a.context()
	defer cancel()
	key := fmt.Sprintf("%s/%s/%d", state, kind, number)
	value := "new " + key
	var err error
	switch kind {
	case "swap":
		var reply *clientv3.TxnResponse
		reply, err = a.client.Txn(ctx).If(clientv3.Compare(clientv3.Value(key), "=", "old")).
			Then(clientv3.OpPut(key, value)).Commit()
		if err == nil && !reply.Succeeded {
			return "compare failed"
		}
	case "set":
		_, err = a.client.Put(ctx, key, value)
	default:
		var options []clientv3.OpOption
		if kind == "get-relaxed" {
			options = append(options, clientv3.WithSerializable())
		}
		var reply *clientv3.GetResponse
		reply, err = a.client.Get(ctx, key, options...)
		if err == nil && (len(reply.Kvs) != 1 || string(reply.Kvs[0].Value) != "old") {
			return "wrong value"
		}
	}
	if err != nil {
		return strings.ReplaceAll(err.Error(), "\t", " ")
	}
	return "ok"
}

// ask makes the calls of each kind evenly over the window, whatever becomes of those before.
func (a *answers) ask(state, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var group sync.WaitGroup
	var mutex sync.Mutex
	begin := time.Now()
	for number := 0; number < a.count; number++ {
		due := begin.Add(a.window * time.Duration(number) / time.Duration(a.count))
		time.Sleep(time.Until(due))
		for _, kind := range kinds {
			group.Add(1)
			go func(kind string, number int) {
				defer group.Done()
				issued := time.Now()
				answer := a.one(kind, state, number)
				ended := time.Now()
				mutex.Lock()
				defer mutex.Unlock()
				fmt.Fprintf(file, "%s\t%s\t%d\t%d\t%d\t%s\t-\n", state, kind, number,
					issued.UnixNano()/1000, ended.UnixNano()/1000, answer)
			}(kind, number)
		}
	}
	group.Wait()
	return nil
}

// each runs a function for every key of the states, several at a time.
func (a *answers) each(states []string, do func(state, kind string, number int) error) error {
	var group sync.WaitGroup
	failures := make(chan error, 32)
	for worker := 0; worker < cap(failures); worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for _, state := range states {
				for number := worker; number < a.count; number += cap(failures) {
					for _, kind := range kinds {
						if err := do(state, kind, number); err != nil {
							failures <- err
							return
						}
					}
				}
			}
		}(worker)
	}
	group.Wait()
	close(failures)
	return <-failures
}

func (a *answers) prepare(states []string) error {
	return a.each(states, func(state, kind string, number int) error {
		_, err := a.client.Put(context.Background(), fmt.Sprintf("%s/%s/%d", state, kind, number),
			"old")
		return err
	})
}

func (a *answers) truth(states []string, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	to := bufio.NewWriter(file)
	defer to.Flush()
	var mutex sync.Mutex
	return a.each(states, func(state, kind string, number int) error {
		key := fmt.Sprintf("%s/%s/%d", state, kind, number)
		reply, err := a.client.Get(context.Background(), key)
		if err != nil {
			return err
		}
		found := "other"
		if len(reply.Kvs) == 1 && string(reply.Kvs[0].Value) == "old" {
			found = "old"
		} else if len(reply.Kvs) == 1 && string(reply.Kvs[0].Value) == "new "+key {
			found = "new"
		}
		mutex.Lock()
		defer mutex.Unlock()
		fmt.Fprintf(to, "%s\t%s\t%d\t%s\t-\n", state, kind, number, found)
		return nil
	})
}

func (a *answers) leader() error {
	for i, endpoint := range a.endpoints {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		status, err := a.client.Status(ctx, endpoint)
		cancel()
		if err == nil && status.Leader == status.Header.MemberId {
			fmt.Println(i + 1)
			return nil
		}
	}
	return fmt.Errorf("no member leads")
}

func answersMain(words []string) error {
	a := &answers{}
	flags := flag.NewFlagSet("answers", flag.ExitOnError)
	endpoints := flags.String("endpoints", "127.0.0.1:23791", "comma-separated host:port")
	flags.IntVar(&a.count, "count", 200, "calls of each kind")
	flags.DurationVar(&a.window, "window", 2*time.Second, "over which they are made")
	flags.DurationVar(&a.timeout, "timeout", time.Second, "of a call")
	if err := flags.Parse(words); err != nil {
		return err
	}
	a.endpoints = strings.Split(*endpoints, ",")
	client, err := clientv3.New(clientv3.Config{Endpoints: a.endpoints})
	if err != nil {
		return err
	}
	defer client.Close()
	a.client = client
	rest := flags.Args()
	switch {
	case len(rest) == 1 && rest[0] == "leader":
		return a.leader()
	case len(rest) > 1 && rest[0] == "prepare":
		return a.prepare(rest[1:])
	case len(rest) == 3 && rest[0] == "ask":
		return a.ask(rest[1], rest[2])
	case len(rest) > 2 && rest[0] == "truth":
		return a.truth(rest[1:len(rest)-1], rest[len(rest)-1])
	}
	return fmt.Errorf("answers: prepare, ask, truth or leader")
}

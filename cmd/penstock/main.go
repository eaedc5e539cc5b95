// Command penstock loads files from object storage into Apache Cassandra through NATS JetStream.
//
// It owns flags, settings and wiring: it joins the story packages to S3, JetStream and the tables, and nothing else.
// What must never happen: a secret on stdout, stderr, or in a message.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "time/tzdata" // time zones of layouts, where the system has none
)

func main() {
	paceGC()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Environ())
	stop()
	os.Exit(code)
}

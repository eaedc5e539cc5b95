//go:build !chaos

package main

import "github.com/penstock-io/penstock/workers"

func roleTiming() timing { return timing{} }

func slowed(inbox workers.Inbox) workers.Inbox { return inbox }

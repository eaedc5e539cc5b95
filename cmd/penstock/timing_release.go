//go:build !chaos

package main

func roleTiming() timing { return timing{} }

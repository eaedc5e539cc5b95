package nats

import (
	"fmt"
	"log/slog"
	"sync"
)

// logger passes on what an operator must see and keeps the reason for which the server gave up.
type logger struct {
	log *slog.Logger

	mu    sync.Mutex
	fatal string
}

func newLogger(log *slog.Logger) *logger {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &logger{log: log}
}

func (l *logger) reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

// Fatalf says why the server does not start; it must not end the process.
func (l *logger) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fatal = fmt.Sprintf(format, v...)
}

func (l *logger) Errorf(format string, v ...any) {
	l.log.Error("nats-server: " + fmt.Sprintf(format, v...))
}
func (l *logger) Warnf(format string, v ...any) {
	l.log.Info("nats-server: " + fmt.Sprintf(format, v...))
}

// Noticef, Debugf and Tracef say nothing: an embedded server's life is no news.
func (l *logger) Noticef(string, ...any) {}
func (l *logger) Debugf(string, ...any)  {}
func (l *logger) Tracef(string, ...any)  {}

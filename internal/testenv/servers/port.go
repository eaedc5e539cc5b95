package servers

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports below the range that Linux takes for outgoing connections, so that none is lost to one between its choice and
// its use, nor while its server is down between Kill and Restart.
const firstPort, portCount = 20000, 12000

// address is where a server listens that was told nothing else.
func address(told string) string { return cmp.Or(told, "127.0.0.1") }

// freePort chooses at random, because servers that start at once choose at once.
func freePort() (int, error) {
	var err error
	for range 100 {
		port := firstPort + rand.IntN(portCount)
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("find a free port from %d: %w", firstPort, err)
}

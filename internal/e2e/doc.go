// Package e2e holds the tests of the whole path: the penstock program as users start it, against a real S3 server, a
// real nats-server and a real Apache Cassandra, with oracles that share no code with it.
package e2e

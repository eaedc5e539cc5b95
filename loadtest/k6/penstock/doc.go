// Package penstock is the k6 module k6/x/penstock: it uploads files, publishes jobs, awaits their reports and measures
// both. One process has one connection to NATS, whatever number of virtual users there are.
//
// What must never happen: a job that is published before the servers behind the settings are known to be those of a
// Penstock that runs; a job whose end is missed because an event was; an encoding of its own, since jobs and events are
// those of contracts; memory that grows with the number of jobs.
package penstock

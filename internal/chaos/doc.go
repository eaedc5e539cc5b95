// Package chaos holds the suite that tries to break the promise that the table after a job equals that of reading its
// objects in order, whatever dies on the way: real processes under seeded faults, judged by an oracle that shares no
// code with the product. docs/reliability.md says how to run it.
//
// What must never happen: a verdict that depends on when a fault struck, and an oracle that asks the product.
package chaos

// Package contracts is Penstock's vocabulary: the messages that cross NATS, the documents that rest in the object
// store, their subjects, keys, versions and encodings, and the kinds of error that every part agrees on.
//
// It opens no connection and declares no interface. What must never happen: a message that carries row data or a
// credential; a field that changes its meaning under an unchanged version.
package contracts

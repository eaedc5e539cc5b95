// Package mutants plants faults: each is a small change to the code that breaks one of ARCHITECTURE.md's invariants,
// and the test that must notice. A fault that no test notices is a promise that nobody keeps an eye on.
//
// `make test` checks only that each fault can still be planted and compiles, so that the list cannot rot;
// `make mutants` plants them one by one, by an overlay and never in the tree, and runs their tests.
//
// What must never happen: a changed file in the tree, and a fault that counts as noticed because it does not compile.
package mutants

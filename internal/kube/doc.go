// Package kube brings up a real Kubernetes of one node, with KEDA, as processes on this machine, for tests: etcd,
// kube-apiserver, kube-controller-manager, kube-scheduler, containerd, kubelet, KEDA's operator and adapter.
//
// All of it lives in namespaces of its own (Enclose): processes, mounts, network. There is no way out of that network:
// it has a loopback and a bridge, at Address, on which pods and whatever the test starts find one another. So ports
// are fixed and nothing outside is touched; when the enclosed process ends, however that happens, the kernel frees
// what was in it. What it does not free, a folder and control groups, is removed at the end, and by a later start
// after a crash.
//
// What must never happen: a process, mount, bridge or network rule that outlives the cluster; an address that is
// reachable from another machine; anything but tests and their commands importing this package.
package kube

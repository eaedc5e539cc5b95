package main

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/penstock-io/penstock/contracts"
)

// folderLock keeps a second process off a data folder. It ends with the process, however that ends.
type folderLock struct{ file *os.File }

// lockFolder takes the folder, or says who has it.
func lockFolder(dir string) (*folderLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, contracts.Errorf(contracts.KindConfig, "data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, contracts.Errorf(contracts.KindConfig,
			"data folder %s is in use by another penstock: expected it free: use `penstock up` and other commands beside it, "+
				"or another --data", dir)
	}
	return &folderLock{f}, nil
}

func (l *folderLock) release() error { return l.file.Close() }

// F1 appends 300 bytes to the file it is given and syncs it. It is the least cost of any journal on that disk.
package main

import "os"

func main() {
	f, err := os.OpenFile(os.Args[1], os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		os.Exit(1)
	}
	if _, err := f.Write(make([]byte, 300)); err != nil || f.Sync() != nil || f.Close() != nil {
		os.Exit(1)
	}
}

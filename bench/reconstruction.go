package main

import "fmt"

// reconstruction measures a boot that finds another operating system and reconstructs under a manifest without
// operations: verified, journaled, evidence and fingerprint published. The kernel release changes in every round.
func (b *bench) reconstruction() ([]row, error) {
	n, err := b.bootedNode("reconstruction", storeBoots)
	if err != nil {
		return nil, err
	}
	p, err := store{b, "pebble", "store"}.fresh("reconstruction", b.runs)
	if err != nil {
		return nil, err
	}
	other := false
	took, err := interleave(b.runs,
		subject{"reconstruction", func(int) (command, error) {
			other = !other
			c := n.boot()
			c.otherOS = other
			return c, b.newBoot()
		}},
		subject{"P", p})
	if err != nil {
		return nil, err
	}
	epoch, err := epochOf(n)
	if err != nil {
		return nil, err
	}
	if want := uint64(b.runs + warmUps); epoch != want {
		return nil, fmt.Errorf("%d boots found another operating system, but the epoch is %d", want, epoch)
	}
	r := took["reconstruction"]
	return []row{measured("reconstruction with no operations", atMost(1.5, "× P"), r.over(took["P"]),
		fmt.Sprintf("medians: %.1f ms and P %.1f ms; the kernel release changes at each boot (personality UNAME26); epoch %d at the end", r.ms(), took["P"].ms(), epoch))}, n.remove()
}

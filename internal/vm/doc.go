// Package vm replaces a real operating system under a real kernel, and cuts its power. Its tests boot
// Debian's kernels in QEMU: the kernel and its initramfs are the operating system that an update
// replaces, and a disk image is the persistent partition that survives. After each boot the host
// mounts the image and judges it with its own edgectl. In TestVM_Systemd the kernel boots a Debian root
// filesystem with our package.
//
//	lab_test.go          what a run needs: tools, binaries, a commissioned node
//	kernels_test.go      kernels from Debian's archive, with the modules that a disk needs
//	initramfs_test.go    an operating system: a kernel, an os-release, the gate, as a cpio archive
//	machine_test.go      one boot in QEMU, its console, and its end
//	writes_test.go       the gate's writes to the disk, as the host sees them
//	disk_test.go         the persistent partition, as the host commissions and judges it
//	replacement_test.go  updates of kernel and distribution, and back
//	cuts_test.go         QEMU killed while the gate runs
//	aim_test.go          where in the gate it is killed
//	record_test.go       every state in which a power cut may leave the disk
//	blocklog_test.go     QEMU's log of the guest's writes
//	systemd_test.go      a Debian system in which systemd starts gate and daemon, from our package
//	seen_test.go         what systemd shows of such a boot, and what it must show
//	root_test.go         the root filesystem of that system
//	image/               what its image has beside Debian and our package
//	guest/               the init program of every boot, and the initramfs of that system
//
// The tests need root, Debian's tools and EDGED_VM=1 (make vm).
package vm

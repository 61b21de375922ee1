package stateroot

import (
	"errors"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable/mountinfo"
)

// view is what a process sees whose state root lies on the mount with the id
// on, and whose / is the mount 27.
func view(text, on, root string) mounts {
	return mounts{all: mountinfo.Parse([]byte(text)), root: place{on, root}, slash: place{"27", "/"}}
}

// A node with its own partition, the usual case.
const (
	extRoot = "27 1 8:1 / / rw - ext4 /dev/sda1 rw\n22 27 0:21 / /proc rw - proc proc rw\n"
	persist = "31 27 8:2 / /persist rw - ext4 /dev/sda2 rw\n"
)

// TestJudgeMounts: the location of the state root in its filesystem decides,
// not its mount or device number.
func TestJudgeMounts(t *testing.T) {
	const state = "/persist/edge"
	btrfsRoot := "27 1 0:23 /os1 / rw - btrfs /dev/sda1 rw,subvol=/os1\n"
	for _, tt := range []struct {
		name string
		m    mounts
		kind error // nil: fine
		part string
	}{
		{"a partition", view(extRoot+persist, "31", state), nil, ""},
		{"a partition mounted at the state root itself", view(extRoot+"31 27 8:2 / "+state+" rw - xfs /dev/sda2 rw\n", "31", state), nil, ""},
		{"not mounted", view(extRoot, "27", state), ErrPartOfRoot, "/persist/edge of the filesystem 8:1, and / is mounted at /"},
		{"not mounted, with the unit's mount of the directory on itself",
			view(extRoot+"50 27 8:1 /persist/edge /persist/edge rw - ext4 /dev/sda1 rw\n", "50", state), ErrPartOfRoot, "8:1"},
		{"a partition, with the same", view(extRoot+persist+"50 31 8:2 /edge /persist/edge rw - ext4 /dev/sda2 rw\n", "50", state), nil, ""},
		{"the root directory itself", view(extRoot, "27", "/"), ErrPartOfRoot, "8:1"},

		{"a subvolume nested in the image's", view(btrfsRoot, "27", state), ErrPartOfRoot, "/os1/persist/edge"},
		{"the same, mounted by itself", view(btrfsRoot+"31 27 0:23 /os1/persist /persist rw - btrfs /dev/sda1 rw\n", "31", state), ErrPartOfRoot, "/os1/persist/edge"},
		{"a subvolume beside the image's", view(btrfsRoot+"31 27 0:23 /persist /persist rw - btrfs /dev/sda1 rw\n", "31", state), nil, ""},
		{"one whose name only begins like it", view(btrfsRoot+"31 27 0:23 /os11 /persist rw - btrfs /dev/sda1 rw\n", "31", state), nil, ""},
		{"a subvolume beneath a root that is the top level", view("27 1 0:23 / / rw - btrfs /dev/sda1 rw\n31 27 0:23 /persist /persist rw - btrfs /dev/sda1 rw\n", "31", state),
			ErrPartOfRoot, "/ is mounted at /"},
		{"a dataset of the same pool", view("27 1 0:23 / / rw - zfs tank/os1 rw\n31 27 0:24 / /persist rw - zfs tank/persist rw\n", "31", state), nil, ""},
		{"a deployment beside another on one filesystem", view("27 1 8:1 /deploy/a / rw - ext4 /dev/sda1 rw\n31 27 8:1 /var /persist rw - ext4 /dev/sda1 rw\n", "31", state), nil, ""},

		{"a tmpfs", view(extRoot+"31 27 0:40 / /persist rw - tmpfs tmpfs rw\n", "31", state), ErrFilesystem, "it is on tmpfs"},
		{"a FUSE that is called ext4", view(extRoot+"31 27 0:40 / /persist rw - fuse.ext4 x rw\n", "31", state), ErrFilesystem, "fuse.ext4"},
		{"a mount that is not there", view(extRoot, "99", state), ErrUnusable, "mount 99"},
		{"a / that is not there", view(persist, "31", state), ErrUnusable, "mount 27"},

		{"tmpfs over the journal", over("60 31 0:40 / /persist/edge/journal rw - tmpfs tmpfs rw\n"), ErrCovered, "journal is / of the filesystem 0:40 (tmpfs)"},
		{"tmpfs over runtime/binaries", over("60 31 0:40 / /persist/edge/runtime/binaries rw - tmpfs tmpfs rw\n"), ErrCovered, "umount /persist/edge/runtime/binaries"},
		{"a file over the head file", over("60 31 0:40 /x /persist/edge/bootstrap/journal_head rw - tmpfs tmpfs rw\n"), ErrCovered, "bootstrap/journal_head"},
		{"another directory of the same filesystem over identity", over("60 31 8:2 /other /persist/edge/identity rw - ext4 /dev/sda2 rw\n"), ErrCovered, "identity is /other"},
		{"another filesystem with the same path in it", over("60 31 8:3 /edge/epoch /persist/edge/epoch rw - ext4 /dev/sda3 rw\n"), ErrCovered, "8:3"},
		{"a mount on a mount", over("60 31 8:2 /edge/epoch /persist/edge/epoch rw - ext4 /dev/sda2 rw\n" +
			"61 60 0:40 / /persist/edge/epoch/current rw - tmpfs tmpfs rw\n"), ErrCovered, "epoch/current"},
		{"a directory mounted on itself", over("60 31 8:2 /edge/journal /persist/edge/journal rw - ext4 /dev/sda2 rw\n"), nil, ""},
		{"mission data elsewhere", over("60 31 8:3 / /persist/edge/edge rw - ext4 /dev/sda3 rw\n"), nil, ""},
		{"something that only begins like a directory of the gate's", over("60 31 8:3 / /persist/edge/runtime-logs rw - ext4 /dev/sda3 rw\n"), nil, ""},
		{"another node's state root", over("60 31 0:40 / /persist/edge2/journal rw - tmpfs tmpfs rw\n"), nil, ""},
		{"a tmpfs under a partition that was mounted later", view(extRoot+"30 27 8:9 / /persist rw - ext4 /dev/sdb rw\n"+
			"60 30 0:40 / /persist/edge/journal rw - tmpfs tmpfs rw\n31 30 8:2 / /persist rw - ext4 /dev/sda2 rw\n", "31", state), nil, ""},
		{"a tmpfs that the directory itself was mounted over again", over("60 31 0:40 / /persist/edge/journal rw - tmpfs tmpfs rw\n" +
			"61 60 8:2 /edge/journal /persist/edge/journal rw - ext4 /dev/sda2 rw\n"), nil, ""},
		{"a tmpfs over the directory mounted on itself", over("60 31 8:2 /edge/journal /persist/edge/journal rw - ext4 /dev/sda2 rw\n" +
			"61 60 0:40 / /persist/edge/journal rw - tmpfs tmpfs rw\n"), ErrCovered, "tmpfs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := good()
			p.mounts = tt.m
			facts, err := judge(tt.m.root.path, Options{}, p)
			if tt.kind != nil {
				checkError(t, err, tt.m.root.path, tt.kind, tt.part)
			} else if err != nil || facts.MountCheck != MountCheckEnforced {
				t.Errorf("got %+v, %v", facts, err)
			}
			// On a disk that may be mounted anywhere, what is mounted over a part of
			// it counts all the same.
			_, err = judge(tt.m.root.path, Options{Anywhere: true}, p)
			if admitted := tt.kind == ErrPartOfRoot || tt.kind == ErrFilesystem || tt.part == "mount 27"; admitted && err != nil || !admitted && !errors.Is(err, tt.kind) {
				t.Errorf("anywhere: %v", err)
			}
			// If the checks are skipped, nothing is asked about mounts.
			if _, err := judge(tt.m.root.path, Options{SkipMountCheck: true}, p); err != nil {
				t.Errorf("skipped: %v", err)
			}
		})
	}
}

// over returns the mounts of a node with its own partition and more mounts below it.
func over(more string) mounts { return view(extRoot+persist+more, "31", "/persist/edge") }

func FuzzJudgeMounts(f *testing.F) {
	f.Add(extRoot+persist, "31", "/persist/edge")
	f.Add("27 27 8:1 / / rw - ext4 x rw\n31 32 8:2 / /p rw - ext4 x rw\n32 31 8:2 / /p/journal rw - ext4 x rw\n", "27", "/p")
	f.Fuzz(func(t *testing.T, text, on, root string) {
		if !strings.HasPrefix(root, "/") {
			return
		}
		p := good()
		p.mounts = view(text, on, root)
		_, _ = judge(root, Options{}, p)
	})
}

package bucket

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/autonomyops/edged/internal/errs"
)

// A store that is suitable passes each race. One that compares and sets in two steps can
// pass by luck, so there are several.
const (
	probeRacers = 8
	probeRaces  = 4
)

// Probe proves with objects below probe/ that the store compares before it sets: a create
// over an object and a replacement of an old version are refused, and of several writers
// at once exactly one succeeds. Otherwise the error is [ErrUnsuitable]; it is another one
// if the store could not be asked. The objects are deleted afterwards.
func (s *S3) Probe(ctx context.Context) error {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails
	p := &probe{s: s, ctx: ctx, dir: "probe/" + hex.EncodeToString(random) + "/"}
	err := p.run()
	if cleanErr := p.clean(); err == nil {
		err = cleanErr
	}
	return err
}

type probe struct {
	s     *S3
	ctx   context.Context // of this probe alone
	dir   string
	names []string
}

func (p *probe) run() error {
	one := p.name("one")
	if err := p.s.swap(p.ctx, one, []byte("first"), ""); err != nil {
		return p.cannot("create an object", err)
	}
	if err := p.refused("it creates an object that exists", one, "second", ""); err != nil {
		return err
	}
	first, err := p.version(one, "first")
	if err != nil {
		return err
	}
	if err := p.s.swap(p.ctx, one, []byte("second"), first); err != nil {
		return p.cannot("replace an object", err)
	}
	if err := p.refused("it replaces an object in an old version", one, "third", first); err != nil {
		return err
	}
	second, err := p.version(one, "second")
	if err != nil {
		return err
	}
	if err := p.refused("it replaces an object that is absent", p.name("absent"), "first", second); err != nil {
		return err
	}
	for i := range probeRaces {
		name, old := p.name(fmt.Sprintf("race-%d", i)), Version("")
		for _, what := range []string{"create", "replace"} {
			if old, err = p.race(name, what, old); err != nil {
				return err
			}
		}
	}
	return p.listed()
}

func (p *probe) name(base string) string {
	name := p.dir + base
	p.names = append(p.names, name)
	return name
}

// refused expects that the store refuses to write.
func (p *probe) refused(otherwise, name, data string, old Version) error {
	err := p.s.swap(p.ctx, name, []byte(data), old)
	switch {
	case err == nil:
		return p.unsuitable(otherwise)
	case !errors.Is(err, ErrChanged):
		return p.cannot("test a condition", err)
	}
	return nil
}

func (p *probe) version(name, data string) (Version, error) {
	got, v, err := p.s.get(p.ctx, name)
	if err != nil {
		return "", p.cannot("read an object", err)
	}
	if string(got) != data {
		return "", p.unsuitable(fmt.Sprintf("it returns %q for an object that was just written as %q", got, data))
	}
	return v, nil
}

// race has several writers write one object and returns its version.
func (p *probe) race(name, what string, old Version) (Version, error) {
	results := make([]error, probeRacers)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() { results[i] = p.s.swap(p.ctx, name, fmt.Appendf(nil, "%s %d", what, i), old) })
	}
	group.Wait()
	winner, winners := 0, 0
	for i, err := range results {
		switch {
		case err == nil:
			winner, winners = i, winners+1
		case !errors.Is(err, ErrChanged):
			return "", p.cannot("test a race", err)
		}
	}
	if winners != 1 {
		return "", p.unsuitable(fmt.Sprintf("of %d writers that %s one object at once, %d succeeded", probeRacers, what, winners))
	}
	return p.version(name, fmt.Sprintf("%s %d", what, winner))
}

// listed expects that what was written is listed at once.
func (p *probe) listed() error {
	var want, got []string
	for _, name := range p.names {
		if name != p.dir+"absent" {
			want = append(want, name)
		}
	}
	for item, err := range p.s.list(p.ctx, p.dir) {
		if err != nil {
			return p.cannot("list the objects", err)
		}
		got = append(got, item.Name)
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		return p.unsuitable(fmt.Sprintf("it lists %d of %d objects that were just written", len(got), len(want)))
	}
	return nil
}

// clean deletes the objects, also if ctx has ended.
func (p *probe) clean() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), 10*time.Second)
	defer cancel()
	for _, name := range p.names {
		if err := p.s.remove(ctx, name); err != nil {
			return p.cannot("delete an object", err)
		}
	}
	return nil
}

func (p *probe) unsuitable(why string) error {
	return errs.Advise("use an object store with conditional writes (If-Match and If-None-Match), or a folder", "the store %s: %w: %s", p.s, ErrUnsuitable, why)
}

// cannot reports that the store could not be asked, which says nothing about it.
func (p *probe) cannot(what string, err error) error {
	var advised *errs.Advised
	next := "try again"
	if errors.As(err, &advised) {
		next = advised.Next
	}
	return errs.Advise(next, "prove that the store %s is suitable: %s: %w", p.s, what, err)
}

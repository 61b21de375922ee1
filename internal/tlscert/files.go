package tlscert

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
)

// File is one file of a pair, after its symbolic links were followed.
type File struct {
	FS   durable.FS
	Name string // in FS, which holds the file's folder
}

// Names beside a file. The hidden ones exist only during a replacement.
func (f File) previous() File { return f.beside("", ".previous") }
func (f File) staged() File   { return f.beside(".", ".edged-previous") }
func (f File) tmp() File      { return f.beside(".", ".edged-tmp") }
func (f File) next() File     { return f.beside(".", ".edged-next") }

func (f File) beside(prefix, suffix string) File {
	dir, base := path.Split(f.Name)
	return File{f.FS, dir + prefix + base + suffix}
}

func (f File) dir() string { return path.Dir(f.Name) }

func (f File) read() (content, error) {
	data, info, err := durable.ReadFile(f.FS, f.Name, MaxBytes)
	return content{data, info}, err
}

// Files are a node's certificate and key on the disk.
type Files struct {
	Paths
	cert, key File
	oneFile   bool          // both are in one file
	host      *durable.Root // nil in any other FS
}

// NewFiles returns the files of a pair in any FS. If the paths are equal, one file holds
// both.
func NewFiles(paths Paths, cert, key File) *Files {
	return &Files{Paths: paths, cert: cert, key: key, oneFile: paths.Cert == paths.Key}
}

// Open returns the files of the paths on this host. It follows symbolic links, which
// operators and certificate tools use; the files at their ends are replaced. The error is an
// *errs.Error.
func Open(paths Paths) (*Files, error) {
	// Below "/", because a folder that may be searched but not listed, such as
	// /etc/ssl/private, cannot be opened.
	root, err := durable.OpenRoot("/")
	if err != nil {
		return nil, unreadable("/", err)
	}
	f := &Files{Paths: paths, host: root}
	if f.cert, err = find(root, paths.Cert); err == nil {
		f.key, err = find(root, paths.Key)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	f.oneFile = f.cert.Name == f.key.Name
	return f, nil
}

// find follows the links of an absolute path.
func find(root *durable.Root, path string) (File, error) {
	end, err := filepath.EvalSymlinks(path)
	if at := (*fs.PathError)(nil); errors.As(err, &at) { // it names a folder in the path
		err = &fs.PathError{Op: "open", Path: path, Err: at.Err}
	}
	if err != nil {
		return File{}, unreadable(path, err)
	}
	return File{root, strings.TrimPrefix(end, "/")}, nil
}

// Close releases the host's root.
func (f *Files) Close() error {
	if f.host == nil {
		return nil
	}
	return f.host.Close()
}

// CheckWritable reports whether files can be created beside the pair's, without trying. The
// error is an *errs.Error.
func (f *Files) CheckWritable() error {
	if f.host == nil {
		return nil
	}
	for _, file := range f.each() {
		folder, err := durable.OpenRoot("/" + file.dir())
		if err == nil {
			err = errors.Join(folder.CheckWrite("."), folder.Close())
		}
		if err != nil {
			return f.notReplaced(err)
		}
	}
	return nil
}

// Load reads and parses certificate, key and CA, and checks that the key belongs to the
// certificate. [Check] judges the validity in time. Load changes nothing. The error is an
// *errs.Error.
func (f *Files) Load() (*Bundle, error) {
	b := &Bundle{Paths: f.Paths, oneFile: f.oneFile}
	var err error
	if b.cert, err = f.cert.read(); err != nil {
		return nil, unreadable(f.Cert, err)
	}
	if b.key, err = f.key.read(); err != nil {
		return nil, unreadable(f.Key, err)
	}
	if next, err := f.cert.next().read(); err == nil { // otherwise it is absent, or not the gate's
		f.resume(b, next)
	}
	certs, skipped, err := certificates(f.Cert, b.cert.data, true)
	if err != nil {
		return nil, err
	}
	b.skip(skipped)
	if b.Key, b.keyBlock, err = privateKey(f.Key, b.key.data); err != nil {
		return nil, err
	}
	b.Leaf, b.leafPEM = certs[0].Certificate, certs[0].block
	for _, c := range certs[1:] {
		b.Chain = append(b.Chain, c.Certificate)
	}
	ca, err := durable.ReadHostFile(f.CA, MaxBytes)
	if err != nil {
		return nil, unreadable(f.CA, err)
	}
	cas, skipped, err := certificates(f.CA, ca, false)
	if err != nil {
		return nil, err
	}
	b.skip(skipped)
	for _, c := range cas {
		b.CAs = append(b.CAs, c.Certificate)
	}
	if !belongs(b.Key, b.Leaf) {
		return nil, f.mismatch(b, certs)
	}
	return b, nil
}

func (b *Bundle) skip(e *errs.Error) {
	if e != nil {
		b.Skipped = append(b.Skipped, e)
	}
}

// resume recognises a committed replacement by next, the new certificate file: the key belongs
// to it and no longer to the old certificate. A pair that an operator deployed meanwhile is
// left alone.
func (f *Files) resume(b *Bundle, next content) {
	key, _, err := privateKey(f.Key, b.key.data)
	if err != nil {
		return
	}
	issued, _, err := certificates(f.Cert, next.data, true)
	if err != nil || !belongs(key, issued[0].Certificate) {
		return
	}
	old := b.cert
	switch placed := bytes.Equal(b.cert.data, next.data); {
	case placed:
		if old, err = f.cert.staged().read(); err != nil {
			old, _ = f.cert.previous().read()
		}
	case f.matches(b.cert.data, b.key.data):
		return
	}
	b.cert.data = next.data
	b.Unfinished = &Rotation{NewSerial: issued[0].SerialNumber.String(), NotAfter: issued[0].NotAfter}
	if was, _, err := certificates(f.Cert, old.data, true); err == nil {
		b.Unfinished.OldSerial = was[0].SerialNumber.String()
	}
}

// matches reports whether the key in one file belongs to the leaf in the other.
func (f *Files) matches(cert, key []byte) bool {
	certs, _, err := certificates(f.Cert, cert, true)
	if err != nil {
		return false
	}
	signer, _, err := privateKey(f.Key, key)
	return err == nil && belongs(signer, certs[0].Certificate)
}

// mismatch returns the error for a key that does not belong to the leaf, with the cause if the
// files show it.
func (f *Files) mismatch(b *Bundle, certs []certificate) *errs.Error {
	e := &errs.Error{Check: check, Path: f.Key, Kind: ErrKeyMismatch, Detail: "the certificate is " + f.Cert,
		Next: "deploy a certificate and a key that belong together"}
	for _, c := range certs[1:] {
		if belongs(b.Key, c.Certificate) {
			e.Detail += ", and the key belongs to certificate number " + strconv.Itoa(c.number) + " in it"
			e.Next = "put that certificate first in the file: its order is leaf, then intermediates"
			return e
		}
	}
	keys := 0
	for _, k := range blocks(b.key.data) {
		if !k.isKey() {
			continue
		}
		keys++
		if key, err := decodeKey(f.Key, k); err == nil && belongs(key, b.Leaf) {
			e.Detail += ", and private key number " + strconv.Itoa(keys) + " in the key file belongs to it"
			e.Next = "put that key first in the file, or remove the others"
			return e
		}
	}
	for _, file := range []struct {
		path string
		data []byte
	}{{f.Cert, b.cert.data}, {f.Key, b.key.data}} {
		for _, why := range unread(file.data, blocks(file.data)) {
			e.Detail += ", in " + file.path + " there is " + why
			e.Next = plainPEM
		}
	}
	return e
}

func unreadable(path string, err error) *errs.Error {
	return &errs.Error{Check: check, Path: path, Kind: ErrUnreadable, Err: err,
		Next: "check the path in the config's transport section and that the gate's user may read the file"}
}

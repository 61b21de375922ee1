package stateroot

import "errors"

// The kinds of error of a state root. errors.Is finds them.
var (
	ErrNotAbsolute    = errors.New("path is not absolute")
	ErrNotExist       = errors.New("directory does not exist")
	ErrSymlink        = errors.New("it is a symbolic link")
	ErrNotDirectory   = errors.New("it is not a directory")
	ErrNotWritable    = errors.New("it is not writable")
	ErrWorldWritable  = errors.New("it is writable for everybody and has no sticky bit")
	ErrFilesystem     = errors.New("its filesystem is ephemeral or not supported")
	ErrFolderWritable = errors.New("a directory of the gate's is writable for everybody")
	ErrFolderForeign  = errors.New("a directory of the gate's was made by another user, as anybody could")
	ErrPartOfRoot     = errors.New("it is a part of the root filesystem, which an update of the operating system removes")
	ErrCovered        = errors.New("something is mounted over a part of it")
	ErrUnusable       = errors.New("it cannot be used")
)

// check begins the text of every error of this package.
const check = "check state root"

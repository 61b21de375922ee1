package interop

import (
	_ "filippo.io/torchwood"
	_ "github.com/gowebpki/jcs"
	_ "github.com/santhosh-tekuri/jsonschema/v6"
	_ "github.com/transparency-dev/formats/log"
	_ "github.com/transparency-dev/merkle/proof"
	_ "golang.org/x/mod/sumdb/note"
)

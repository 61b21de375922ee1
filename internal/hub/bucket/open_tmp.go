package bucket

import "context"

func Open(_ context.Context, location string) (Store, error) { return OpenFolder(location) }

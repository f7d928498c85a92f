// The kernels of this package are compiled here; so far there are none of our own.

//! One request over one connection: connect, TLS, HTTP/1.1, SSE, endpoint codecs, with instants.

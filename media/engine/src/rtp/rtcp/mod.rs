//! RTCP: compound packets read without allocation and written into a buffer.

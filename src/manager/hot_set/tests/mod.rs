mod bytes;

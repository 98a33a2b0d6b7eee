// class: the bytes of the bio that failed are counted as done
// module: dm-mod
// file: drivers/md/dm-rq.c
// scenarios: multipath/merged, multipath/failover-once, multipath
// kills: wrong data, wrong I/O, wrong answer

@@
@@
 end_clone_bio(...)
 {
 	<...
 	tio->error = error;
+	tio->completed += nr_bytes;
 	...>
 }

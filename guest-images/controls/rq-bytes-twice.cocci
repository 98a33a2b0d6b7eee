// class: the bytes of a completed bio are counted twice
// module: dm-mod
// file: drivers/md/dm-rq.c
// scenarios: target/multipath-merged, target/multipath
// kills: crash, wrong data, hang, wrong I/O

@@
@@
 end_clone_bio(...)
 {
 	...
-	tio->completed += nr_bytes;
+	tio->completed += 2 * nr_bytes;
 	...
 }

// class: the bytes of a completed bio are counted twice
// module: dm-mod
// file: drivers/md/dm-rq.c
// scenarios: multipath/partial, target
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

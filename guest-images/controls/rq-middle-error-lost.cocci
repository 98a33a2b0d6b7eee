// class: an error before the last bio of a request is lost
// module: dm-mod
// file: drivers/md/dm-rq.c
// scenarios: target/multipath-merged, target/multipath
// kills: wrong data, wrong I/O, wrong answer

@@
@@
 end_clone_bio(...)
 {
 	<...
-	tio->error = error;
+	if (is_last)
+		tio->error = error;
 	...>
 }

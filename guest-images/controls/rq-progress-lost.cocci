// class: what was completed before the failure is not told to the original
//   request
// module: dm-mod
// file: drivers/md/dm-rq.c
// scenarios: target/multipath-merged, target/multipath
// kills: wrong I/O, wrong data, crash

@@
@@
 end_clone_bio(...)
 {
 	<...
 	tio->error = error;
-	goto exit;
+	return;
 	...>
 }

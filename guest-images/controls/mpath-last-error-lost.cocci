// class: when the last path fails, the bio is called good
// module: dm-multipath
// file: drivers/md/dm-mpath.c
// scenarios: multipath/all-paths-fail, multipath
// kills: wrong answer, wrong data

@@
@@
 multipath_end_io_bio(...)
 {
 	<...
-	*error = BLK_STS_IOERR;
+	*error = BLK_STS_OK;
 	...>
 }

// class: an error of the path is taken for one of the disk itself
// module: dm-multipath
// file: drivers/md/dm-mpath.c
// scenarios: multipath/failover-once, multipath/failover-read, multipath
// kills: wrong answer

@@
@@
 multipath_end_io(...)
 {
 	...
-	if (error && blk_path_error(error))
+	if (0)
 	{
 		...
 	}
 	...
 }

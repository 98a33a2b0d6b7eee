// class: an error of the disk itself is taken for one of the path
// module: dm-multipath
// file: drivers/md/dm-mpath.c
// scenarios: multipath/controllers-read, multipath/controllers-write, target
// kills: misjudged, wrong answer, wrong I/O

@@
@@
 multipath_end_io(...)
 {
 	...
-	if (error && blk_path_error(error))
+	if (error)
 	{
 		...
 	}
 	...
 }

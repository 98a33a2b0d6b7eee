// class: only reads are sent down another path, so that a mirror above loses a
//   good leg
// module: dm-multipath
// file: drivers/md/dm-mpath.c
// scenarios: nested/write-path-fails, nested, multipath
// kills: misjudged, wrong answer, wrong I/O

@@
@@
 multipath_end_io_bio(...)
 {
 	<...
-	if (!*error || !blk_path_error(*error))
+	if (!*error || !blk_path_error(*error) || bio_data_dir(clone) == WRITE)
 		goto done;
 	...>
 }

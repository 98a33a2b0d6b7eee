// class: a bio that waits for a path sleeps until it is called, and nobody calls it when
//   the operator gives up
// module: dm-multipath
// file: drivers/md/dm-mpath.c
// scenarios: multipath/queue-if-no-path-gives-up, nested/queue-if-no-path
// kills: hang

@@
@@
 __multipath_queue_bio(...)
 {
 	<...
-	if (!test_bit(MPATHF_QUEUE_IO, &m->flags))
+	if (!test_bit(MPATHF_QUEUE_IO, &m->flags) && atomic_read(&m->nr_valid_paths))
 		queue_work(...);
 	...>
 }

@@
@@
 queue_if_no_path(...)
 {
 	<...
-	dm_table_run_md_queue_async(m->ti->table);
-	process_queued_io_list(m);
 	...>
 }

// class: a bio that waits for a path sleeps until it is called, and the second path that
//   comes back calls it
// module: dm-multipath
// file: drivers/md/dm-mpath.c
// scenarios: multipath/queue-if-no-path, multipath/queue-if-no-path-split,
//   nested/queue-if-no-path
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
expression E;
@@
 reinstate_path(...)
 {
 	<...
-	E == 1
+	E == 2
 	...>
 }

// class: the path that failed stays the current one
// module: dm-multipath
// file: drivers/md/dm-mpath.c
// scenarios: multipath/failover-once, multipath/failover-read, multipath
// kills: misjudged, hang, wrong I/O
// equivalent: the current path is used without choosing again only while
//   MPATHF_QUEUE_IO is set, that is until a hardware handler has initialised
//   the path group. No path of the catalogue has a handler. So the first choice
//   clears the flag, and every later request chooses again, among the paths
//   that have not failed.

@@
@@
 fail_path(...)
 {
 	...
-	if (pgpath == m->current_pgpath)
-		m->current_pgpath = NULL;
 	...
 }

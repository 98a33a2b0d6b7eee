// class: the count of valid paths does not go down
// module: dm-multipath
// file: drivers/md/dm-mpath.c
// scenarios: multipath/all-paths-fail, multipath
// kills: hang, misjudged, wrong answer

@@
@@
 fail_path(...)
 {
 	...
-	atomic_dec(&m->nr_valid_paths);
 	...
 }

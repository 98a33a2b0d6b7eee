// class: a write is held although no leg is left
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/write-all-legs-fail, raid1
// kills: wrong answer, hang

@@
@@
 do_failures(...)
 {
 	<...
-	!get_valid_mirror(ms) || (keep_log(ms) && ms->log_failure)
+	keep_log(ms) && ms->log_failure
 	...>
 }

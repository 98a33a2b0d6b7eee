// class: the operator is not told that a leg failed
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/events
// kills: misjudged

@@
@@
 fail_mirror(...)
 {
 	...
(
-	schedule_work(&ms->trigger_event);
+	;
|
-	queue_work(dm_raid1_wq, &ms->trigger_event);
+	;
)
 }

// class: recovery forgets the last page of each region
// module: dm-mirror
// file: drivers/md/dm-raid1.c
// scenarios: raid1/read-synced-across-regions, raid1/read-synced, raid1
// kills: wrong data, wrong I/O, misjudged

@@
@@
 recover(...)
 {
 	...
-	dm_kcopyd_copy(ms->kcopyd_client, &from, ms->nr_mirrors - 1, to, flags, recovery_complete, reg);
+	from.count -= 8;
+	for (i = 0; i < ms->nr_mirrors - 1; i++)
+		to[i].count -= 8;
+	dm_kcopyd_copy(ms->kcopyd_client, &from, ms->nr_mirrors - 1, to, flags, recovery_complete, reg);
 }

// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk driver that completes requests partially.
 *
 * It stands on each virtio disk of the guest. It moves the requested data a few
 * sectors at a time, as drivers of programmed I/O did. If the disk refuses such
 * a step, the driver completes what was moved before it, and fails the rest.
 * There are two versions: one takes bios, the other takes requests (`flavour`).
 *
 * By default the driver keeps the contract of immutable bio vectors: only the
 * iterator tells how far it came. With `patch_vector` it does what the block
 * layer of Linux 2.6.2x did (`__end_that_request_first`): it shortens the entry
 * of the vector in which the failure lies. All clones of a bio share its
 * vector. So whoever resubmits the bio from a recorded iterator finds a vector
 * that no longer fits: this is the report of February 2009.
 *
 * This driver's device is found from the disk by `holders` in sysfs. The module
 * cannot be unloaded, because a guest ends by being switched off.
 *
 * It builds on kernels 5.10 to 6.4, and since 6.11; tried on 5.10, 6.1 and
 * 6.12.
 */
#include <linux/bio.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#define SINCE(major, minor) (LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, 0))

#if SINCE(6, 5) && !SINCE(6, 11)
#error "how disks are opened and made changed with each of these releases"
#endif

#define NAME "halfway"

static char *flavour = "bio";
module_param(flavour, charp, 0444);
MODULE_PARM_DESC(flavour, "what the driver takes: bio or mq");

static unsigned int step = 12;
module_param(step, uint, 0444);
MODULE_PARM_DESC(step, "sectors that are moved at a time");

static bool patch_vector;
module_param(patch_vector, bool, 0444);
MODULE_PARM_DESC(patch_vector, "tell progress by changing the vector in place");

static char *over[8] = { "/dev/vda", "/dev/vdb", "/dev/vdc", "/dev/vdd", "/dev/vde" };
static int overs = 5;
module_param_array(over, charp, &overs, 0444);
MODULE_PARM_DESC(over, "the disks to stand on; those that are not there are left out");

struct leg {
	struct gendisk *disk;
	struct block_device *lower;
	struct workqueue_struct *worker;
	/* The version that takes bios. */
	struct work_struct work;
	struct bio_list bios;
	spinlock_t lock;
	/* The version that takes requests. */
	struct blk_mq_tag_set tags;
};

static struct bio_set clones;
static int major;

static struct bio *clone_of(struct leg *leg, struct bio *bio)
{
#if SINCE(5, 18)
	return bio_alloc_clone(leg->lower, bio, GFP_NOIO, &clones);
#else
	struct bio *clone = bio_clone_fast(bio, GFP_NOIO, &clones);

	bio_set_dev(clone, leg->lower);
	return clone;
#endif
}

static int flush(struct leg *leg)
{
#if SINCE(5, 12)
	return blkdev_issue_flush(leg->lower);
#else
	return blkdev_issue_flush(leg->lower, GFP_NOIO);
#endif
}

/*
 * Moves what the bio still asks for, step by step, up to the first step that
 * the disk refuses. Does not change the bio. Returns how many bytes were moved.
 */
static unsigned int move(struct leg *leg, struct bio *bio, bool durable, int *error)
{
	struct bvec_iter iter = bio->bi_iter;
	unsigned int moved = 0;

	*error = 0;
	while (iter.bi_size) {
		unsigned int bytes = min(iter.bi_size, step << SECTOR_SHIFT);
		struct bio *clone = clone_of(leg, bio);

		clone->bi_opf = bio_op(bio) | (durable ? REQ_FUA : 0);
		clone->bi_iter = iter;
		clone->bi_iter.bi_size = bytes;
		*error = submit_bio_wait(clone);
		bio_put(clone);
		if (*error)
			break;
		bio_advance_iter(bio, &iter, bytes);
		moved += bytes;
	}
	return moved;
}

/* The bio was advanced. Records that in its vector instead of its iterator. */
static void spoil(struct bio *bio)
{
	struct bvec_iter *iter = &bio->bi_iter;
	struct bio_vec *entry = &bio->bi_io_vec[iter->bi_idx];

	if (!patch_vector || !iter->bi_bvec_done)
		return;
	entry->bv_offset += iter->bi_bvec_done;
	entry->bv_len -= iter->bi_bvec_done;
	iter->bi_bvec_done = 0;
}

/* The version that takes bios. */

static void serve_bio(struct leg *leg, struct bio *bio)
{
	int error = 0;

	if (bio->bi_opf & REQ_PREFLUSH)
		error = flush(leg);
	if (!error) {
		bio_advance(bio, move(leg, bio, bio->bi_opf & REQ_FUA, &error));
		if (error)
			spoil(bio);
	}
	bio->bi_status = errno_to_blk_status(error);
	bio_endio(bio);
}

static void serve_bios(struct work_struct *work)
{
	struct leg *leg = container_of(work, struct leg, work);
	struct bio *bio;

	for (;;) {
		spin_lock_irq(&leg->lock);
		bio = bio_list_pop(&leg->bios);
		spin_unlock_irq(&leg->lock);
		if (!bio)
			return;
		serve_bio(leg, bio);
	}
}

static void take_bio(struct leg *leg, struct bio *bio)
{
	unsigned long flags;

	spin_lock_irqsave(&leg->lock, flags);
	bio_list_add(&leg->bios, bio);
	spin_unlock_irqrestore(&leg->lock, flags);
	queue_work(leg->worker, &leg->work);
}

#if SINCE(5, 16)
static void submit(struct bio *bio)
{
	take_bio(bio->bi_bdev->bd_disk->private_data, bio);
}
#else
static blk_qc_t submit(struct bio *bio)
{
#if SINCE(5, 12)
	take_bio(bio->bi_bdev->bd_disk->private_data, bio);
#else
	take_bio(bio->bi_disk->private_data, bio);
#endif
	return BLK_QC_T_NONE;
}
#endif

static const struct block_device_operations bio_operations = {
	.owner = THIS_MODULE,
	.submit_bio = submit,
};

/* The version that takes requests. */

struct job {
	struct leg *leg;
	struct work_struct work;
};

static void serve_request(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);
	struct request *rq = blk_mq_rq_from_pdu(job);
	unsigned int moved = 0;
	int error = 0;
	struct bio *bio;

	if (req_op(rq) == REQ_OP_FLUSH) {
		error = flush(job->leg);
	} else {
		for (bio = rq->bio; bio && !error; bio = bio->bi_next)
			moved += move(job->leg, bio, rq->cmd_flags & REQ_FUA, &error);
	}
	if (error && moved && blk_update_request(rq, BLK_STS_OK, moved))
		spoil(rq->bio);
	blk_mq_end_request(rq, errno_to_blk_status(error));
}

static blk_status_t take_request(struct blk_mq_hw_ctx *hctx,
				 const struct blk_mq_queue_data *data)
{
	struct job *job = blk_mq_rq_to_pdu(data->rq);

	job->leg = hctx->queue->queuedata;
	INIT_WORK(&job->work, serve_request);
	blk_mq_start_request(data->rq);
	queue_work(job->leg->worker, &job->work);
	return BLK_STS_OK;
}

static const struct blk_mq_ops mq_operations = {
	.queue_rq = take_request,
};

static const struct block_device_operations request_operations = {
	.owner = THIS_MODULE,
};

static int make_tags(struct leg *leg)
{
	leg->tags.ops = &mq_operations;
	leg->tags.nr_hw_queues = 1;
	leg->tags.queue_depth = 128;
	leg->tags.numa_node = NUMA_NO_NODE;
	leg->tags.cmd_size = sizeof(struct job);
#if !SINCE(6, 14)
	leg->tags.flags = BLK_MQ_F_SHOULD_MERGE;
#endif
	return blk_mq_alloc_tag_set(&leg->tags);
}

/* The disk. It accepts what dm and the page cache send, without splitting. */

#define MOST_SECTORS 8192
#define MOST_SEGMENTS 254

#if SINCE(6, 11)
static struct gendisk *make_disk(struct leg *leg, bool requests)
{
	struct queue_limits limits = {
		.max_hw_sectors = MOST_SECTORS,
		.max_segments = MOST_SEGMENTS,
		.max_segment_size = UINT_MAX,
		.features = BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA,
	};

	return requests ? blk_mq_alloc_disk(&leg->tags, &limits, leg)
			: blk_alloc_disk(&limits, NUMA_NO_NODE);
}
#else
static struct gendisk *bare_disk(struct leg *leg, bool requests)
{
#if SINCE(5, 14)
	return requests ? blk_mq_alloc_disk(&leg->tags, leg) : blk_alloc_disk(NUMA_NO_NODE);
#else
	struct request_queue *queue = requests ? blk_mq_init_queue(&leg->tags)
					       : blk_alloc_queue(NUMA_NO_NODE);
	struct gendisk *disk;

	if (IS_ERR_OR_NULL(queue))
		return NULL;
	disk = alloc_disk(1);
	if (disk) {
		queue->queuedata = leg;
		disk->queue = queue;
	}
	return disk;
#endif
}

static struct gendisk *make_disk(struct leg *leg, bool requests)
{
	struct gendisk *disk = bare_disk(leg, requests);

	if (IS_ERR_OR_NULL(disk))
		return disk;
	blk_queue_max_hw_sectors(disk->queue, MOST_SECTORS);
	blk_queue_max_segments(disk->queue, MOST_SEGMENTS);
	blk_queue_max_segment_size(disk->queue, UINT_MAX);
	blk_queue_write_cache(disk->queue, true, true);
	return disk;
}
#endif

static struct block_device *open_disk(const char *path, void *holder)
{
#if SINCE(6, 11)
	struct file *file = bdev_file_open_by_path(path, BLK_OPEN_READ | BLK_OPEN_WRITE,
						   holder, NULL);

	return IS_ERR(file) ? ERR_CAST(file) : file_bdev(file);
#else
	return blkdev_get_by_path(path, FMODE_READ | FMODE_WRITE | FMODE_EXCL, holder);
#endif
}

static int show_disk(struct gendisk *disk)
{
#if SINCE(5, 15)
	return add_disk(disk);
#else
	add_disk(disk);
	return 0;
#endif
}

static int stand_on(const char *path, int number)
{
	bool requests = !strcmp(flavour, "mq");
	struct leg *leg = kzalloc(sizeof(*leg), GFP_KERNEL);
	struct gendisk *disk;
	int error;

	if (!leg)
		return -ENOMEM;
	leg->lower = open_disk(path, leg);
	if (IS_ERR(leg->lower)) {
		error = PTR_ERR(leg->lower);
		kfree(leg);
		return error == -ENOENT ? 0 : error;
	}
	spin_lock_init(&leg->lock);
	INIT_WORK(&leg->work, serve_bios);
	leg->worker = alloc_ordered_workqueue(NAME "%d", WQ_MEM_RECLAIM, number);
	if (!leg->worker)
		return -ENOMEM;
	error = requests ? make_tags(leg) : 0;
	if (error)
		return error;
	disk = make_disk(leg, requests);
	if (IS_ERR_OR_NULL(disk))
		return disk ? PTR_ERR(disk) : -ENOMEM;
	leg->disk = disk;
	disk->major = major;
	disk->first_minor = number;
#if SINCE(5, 17)
	disk->flags |= GENHD_FL_NO_PART;
#else
	disk->flags |= GENHD_FL_NO_PART_SCAN;
#endif
#if SINCE(5, 14)
	disk->minors = 1;
#endif
	disk->fops = requests ? &request_operations : &bio_operations;
	disk->private_data = leg;
	snprintf(disk->disk_name, sizeof(disk->disk_name), NAME "%d", number);
	set_capacity(disk, get_capacity(leg->lower->bd_disk));
	error = show_disk(disk);
	return error ? error : bd_link_disk_holder(leg->lower, disk);
}

static int __init halfway_leg_init(void)
{
	int error, number;

	if (!step || (strcmp(flavour, "bio") && strcmp(flavour, "mq")))
		return -EINVAL;
	error = bioset_init(&clones, BIO_POOL_SIZE, 0, 0);
	if (error)
		return error;
	major = register_blkdev(0, NAME);
	if (major < 0)
		return major;
	for (number = 0; number < overs; number++) {
		error = stand_on(over[number], number);
		if (error) {
			pr_err(NAME ": cannot stand on %s: %d\n", over[number], error);
			return error;
		}
	}
	return 0;
}

module_init(halfway_leg_init);
MODULE_AUTHOR("Halfway");
MODULE_DESCRIPTION("A disk driver that completes requests partially");
MODULE_LICENSE("GPL");

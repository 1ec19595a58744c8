SET foreign_key_checks = 0;
CREATE TABLE `wb_comments` (
  `comment_id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `post_id` bigint unsigned DEFAULT NULL,
  `author` tinytext,
  `made_gmt` datetime DEFAULT NULL,
  `content` text,
  `approved` varchar(20) DEFAULT '1',
  `parent` bigint unsigned DEFAULT '0',
  PRIMARY KEY (`comment_id`)
) ENGINE=InnoDB;
CREATE TABLE `wb_meta` (
  `meta_id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `post_id` bigint unsigned NOT NULL,
  `meta_key` varchar(191) DEFAULT NULL,
  `meta_value` longtext,
  PRIMARY KEY (`meta_id`),
  KEY `post_id` (`post_id`)
) ENGINE=InnoDB;
CREATE TABLE `wb_options` (
  `option_id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(191) DEFAULT NULL,
  `value` longtext,
  `autoload` varchar(20) DEFAULT 'yes',
  PRIMARY KEY (`option_id`),
  UNIQUE KEY `name` (`name`)
) ENGINE=InnoDB;
CREATE TABLE `wb_posts` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `author` bigint unsigned NOT NULL DEFAULT '0',
  `made` datetime NOT NULL DEFAULT '1970-01-01 00:00:01',
  `made_gmt` datetime NOT NULL DEFAULT '1970-01-01 00:00:01',
  `content` longtext,
  `title` text,
  `status` varchar(20) NOT NULL DEFAULT 'publish',
  `name` varchar(200) NOT NULL DEFAULT '',
  `parent` bigint unsigned NOT NULL DEFAULT '0',
  `menu_order` int NOT NULL DEFAULT '0',
  `kind` varchar(20) NOT NULL DEFAULT 'post',
  `comments` bigint NOT NULL DEFAULT '0',
  PRIMARY KEY (`id`),
  KEY `kind_status` (`kind`,`status`,`made`,`id`)
) ENGINE=InnoDB;
CREATE TABLE `wb_relations` (
  `object_id` bigint unsigned NOT NULL,
  `tt_id` bigint unsigned NOT NULL,
  `place` int DEFAULT '0',
  PRIMARY KEY (`object_id`,`tt_id`)
) ENGINE=InnoDB;
CREATE TABLE `wb_taxonomy` (
  `tt_id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `term_id` bigint unsigned DEFAULT NULL,
  `taxonomy` varchar(32) DEFAULT NULL,
  `parent` bigint unsigned DEFAULT '0',
  `uses` bigint DEFAULT '0',
  PRIMARY KEY (`tt_id`)
) ENGINE=InnoDB;
CREATE TABLE `wb_terms` (
  `term_id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(200) DEFAULT NULL,
  `slug` varchar(200) DEFAULT NULL,
  PRIMARY KEY (`term_id`)
) ENGINE=InnoDB;
CREATE TABLE `wb_usermeta` (
  `umeta_id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `user_id` bigint unsigned DEFAULT NULL,
  `meta_key` varchar(191) DEFAULT NULL,
  `meta_value` longtext,
  PRIMARY KEY (`umeta_id`)
) ENGINE=InnoDB;
CREATE TABLE `wb_users` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `login` varchar(60) DEFAULT NULL,
  `email` varchar(100) DEFAULT NULL,
  `registered` datetime DEFAULT NULL,
  `shown` varchar(250) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
CREATE TABLE `wk_actor` (
  `actor_id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `actor_user` int unsigned DEFAULT NULL,
  `actor_name` varbinary(255) DEFAULT NULL,
  PRIMARY KEY (`actor_id`)
) ENGINE=InnoDB;
CREATE TABLE `wk_categorylinks` (
  `cl_from` int unsigned NOT NULL,
  `cl_to` varbinary(255) NOT NULL,
  `cl_sortkey` varbinary(230) DEFAULT NULL,
  `cl_timestamp` timestamp NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (`cl_from`,`cl_to`)
) ENGINE=InnoDB;
CREATE TABLE `wk_links` (
  `pl_from` int unsigned NOT NULL,
  `pl_namespace` int NOT NULL,
  `pl_title` varbinary(255) NOT NULL,
  PRIMARY KEY (`pl_from`,`pl_namespace`,`pl_title`)
) ENGINE=InnoDB;
CREATE TABLE `wk_page` (
  `page_id` int unsigned NOT NULL AUTO_INCREMENT,
  `page_namespace` int NOT NULL,
  `page_title` varbinary(255) NOT NULL,
  `page_is_redirect` tinyint unsigned DEFAULT '0',
  `page_touched` binary(14) DEFAULT NULL,
  `page_latest` int unsigned DEFAULT NULL,
  `page_len` int unsigned DEFAULT NULL,
  PRIMARY KEY (`page_id`),
  UNIQUE KEY `page_namespace` (`page_namespace`,`page_title`)
) ENGINE=InnoDB;
CREATE TABLE `wk_recent` (
  `rc_id` int unsigned NOT NULL AUTO_INCREMENT,
  `rc_timestamp` binary(14) DEFAULT NULL,
  `rc_actor` bigint unsigned DEFAULT NULL,
  `rc_namespace` int DEFAULT NULL,
  `rc_title` varbinary(255) DEFAULT NULL,
  `rc_bot` tinyint unsigned DEFAULT NULL,
  `rc_cur_id` int unsigned DEFAULT NULL,
  `rc_this_oldid` int unsigned DEFAULT NULL,
  PRIMARY KEY (`rc_id`)
) ENGINE=InnoDB;
CREATE TABLE `wk_revision` (
  `rev_id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `rev_page` int unsigned DEFAULT NULL,
  `rev_actor` bigint unsigned DEFAULT NULL,
  `rev_comment` bigint unsigned DEFAULT NULL,
  `rev_timestamp` binary(14) DEFAULT NULL,
  `rev_minor` tinyint unsigned DEFAULT '0',
  `rev_len` int unsigned DEFAULT NULL,
  PRIMARY KEY (`rev_id`),
  KEY `rev_page` (`rev_page`,`rev_timestamp`)
) ENGINE=InnoDB;
CREATE TABLE `wk_watch` (
  `wl_id` int unsigned NOT NULL AUTO_INCREMENT,
  `wl_user` int unsigned DEFAULT NULL,
  `wl_namespace` int DEFAULT NULL,
  `wl_title` varbinary(255) DEFAULT NULL,
  `wl_seen` varbinary(14) DEFAULT NULL,
  PRIMARY KEY (`wl_id`)
) ENGINE=InnoDB;

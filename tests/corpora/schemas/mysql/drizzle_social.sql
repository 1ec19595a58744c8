SET foreign_key_checks = 0;
CREATE TABLE `chat_members` (
  `chat_id` bigint NOT NULL,
  `user_id` bigint NOT NULL,
  `last_read_id` bigint DEFAULT NULL,
  `muted_until` datetime(3) DEFAULT NULL,
  PRIMARY KEY (`chat_id`,`user_id`)
) ENGINE=InnoDB;
CREATE TABLE `chats` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `title` varchar(80) DEFAULT NULL,
  `is_group` tinyint(1) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
CREATE TABLE `follows` (
  `follower_id` bigint NOT NULL,
  `followee_id` bigint NOT NULL,
  `created_at` datetime(3) DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (`follower_id`,`followee_id`)
) ENGINE=InnoDB;
CREATE TABLE `hashtags` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `name` varchar(60) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `name` (`name`)
) ENGINE=InnoDB;
CREATE TABLE `likes` (
  `user_id` bigint NOT NULL,
  `post_id` bigint NOT NULL,
  `created_at` datetime(3) DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (`user_id`,`post_id`)
) ENGINE=InnoDB;
CREATE TABLE `messages` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `chat_id` bigint DEFAULT NULL,
  `sender_id` bigint DEFAULT NULL,
  `body` text,
  `sent_at` datetime(3) DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
CREATE TABLE `post_hashtags` (
  `post_id` bigint DEFAULT NULL,
  `tag_id` bigint DEFAULT NULL
) ENGINE=InnoDB;
CREATE TABLE `posts` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `author_id` bigint NOT NULL,
  `reply_to_id` bigint DEFAULT NULL,
  `body` text NOT NULL,
  `visibility` enum('public','followers','private') DEFAULT 'public',
  `media` json DEFAULT NULL,
  `like_count` int DEFAULT '0',
  `score` float DEFAULT NULL,
  `created_at` datetime(3) DEFAULT CURRENT_TIMESTAMP(3),
  `deleted_at` datetime(3) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `author_id` (`author_id`),
  FULLTEXT KEY `words` (`body`),
  CONSTRAINT `posts_ibfk_1` FOREIGN KEY (`author_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `reports` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `post_id` bigint DEFAULT NULL,
  `reporter_id` bigint DEFAULT NULL,
  `reason` varchar(40) DEFAULT NULL,
  `resolved_at` datetime(3) DEFAULT NULL,
  `created_at` datetime(3) DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
CREATE TABLE `users` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `handle` varchar(40) NOT NULL,
  `name` varchar(80) DEFAULT NULL,
  `bio` varchar(500) DEFAULT NULL,
  `country` char(2) DEFAULT NULL,
  `verified` tinyint(1) DEFAULT '0',
  `settings` json DEFAULT NULL,
  `joined_at` datetime(3) DEFAULT CURRENT_TIMESTAMP(3),
  `last_seen_at` datetime(3) DEFAULT NULL,
  `born_on` date DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `handle` (`handle`)
) ENGINE=InnoDB;

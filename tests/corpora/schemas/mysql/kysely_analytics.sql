SET foreign_key_checks = 0;
CREATE TABLE `alerts` (
  `id` int NOT NULL AUTO_INCREMENT,
  `site_id` int DEFAULT NULL,
  `metric` varchar(30) DEFAULT NULL,
  `threshold` double DEFAULT NULL,
  `quiet_from` time DEFAULT NULL,
  `quiet_to` time DEFAULT NULL,
  `last_fired` datetime DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
CREATE TABLE `daily` (
  `site_id` int NOT NULL,
  `day` date NOT NULL,
  `visits` int DEFAULT NULL,
  `bounces` int DEFAULT NULL,
  `seconds` bigint DEFAULT NULL,
  `revenue` decimal(14,2) DEFAULT NULL,
  PRIMARY KEY (`site_id`,`day`)
) ENGINE=InnoDB;
CREATE TABLE `events` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `session_id` bigint DEFAULT NULL,
  `site_id` int DEFAULT NULL,
  `name` varchar(60) DEFAULT NULL,
  `path` varchar(300) DEFAULT NULL,
  `props` json DEFAULT NULL,
  `value` decimal(12,2) DEFAULT NULL,
  `at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (`id`),
  KEY `site_id` (`site_id`,`at`)
) ENGINE=InnoDB;
CREATE TABLE `goals` (
  `id` int NOT NULL AUTO_INCREMENT,
  `site_id` int DEFAULT NULL,
  `name` varchar(60) DEFAULT NULL,
  `event` varchar(60) DEFAULT NULL,
  `target` decimal(12,2) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
CREATE TABLE `sessions` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `visitor_id` char(36) DEFAULT NULL,
  `site_id` int DEFAULT NULL,
  `started_at` datetime NOT NULL,
  `ended_at` datetime DEFAULT NULL,
  `referrer` varchar(300) DEFAULT NULL,
  `utm` json DEFAULT NULL,
  `ip` varchar(45) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
CREATE TABLE `sites` (
  `id` int NOT NULL AUTO_INCREMENT,
  `domain` varchar(100) NOT NULL,
  `timezone` varchar(40) DEFAULT 'Europe/Berlin',
  `owner` varchar(40) DEFAULT NULL,
  `created_at` datetime DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (`id`),
  UNIQUE KEY `domain` (`domain`)
) ENGINE=InnoDB;
CREATE TABLE `visitors` (
  `id` char(36) NOT NULL,
  `site_id` int DEFAULT NULL,
  `first_seen` datetime DEFAULT NULL,
  `country` char(2) DEFAULT NULL,
  `device` enum('phone','tablet','desktop') DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;

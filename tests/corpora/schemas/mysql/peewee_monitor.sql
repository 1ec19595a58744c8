SET foreign_key_checks = 0;
CREATE TABLE `check` (
  `id` int NOT NULL AUTO_INCREMENT,
  `host_id` int NOT NULL,
  `kind` varchar(255) NOT NULL,
  `every` int NOT NULL,
  `state` varchar(255) NOT NULL,
  `last_run` bigint DEFAULT NULL,
  `target` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `check_host_id` (`host_id`),
  CONSTRAINT `check_ibfk_1` FOREIGN KEY (`host_id`) REFERENCES `host` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `host` (
  `id` int NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `address` varchar(45) NOT NULL,
  `team_id` int NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `tags` text,
  `facts` json NOT NULL,
  `added` datetime NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `host_name` (`name`),
  KEY `host_team_id` (`team_id`),
  CONSTRAINT `host_ibfk_1` FOREIGN KEY (`team_id`) REFERENCES `team` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `incident` (
  `id` int NOT NULL AUTO_INCREMENT,
  `check_ref_id` int NOT NULL,
  `opened` datetime NOT NULL,
  `closed` datetime DEFAULT NULL,
  `severity` smallint NOT NULL,
  `summary` text NOT NULL,
  `cost` decimal(10,2) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `incident_check_ref_id` (`check_ref_id`),
  CONSTRAINT `incident_ibfk_1` FOREIGN KEY (`check_ref_id`) REFERENCES `check` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `sample` (
  `id` int NOT NULL AUTO_INCREMENT,
  `check_ref_id` int NOT NULL,
  `at` datetime NOT NULL,
  `value` double NOT NULL,
  PRIMARY KEY (`id`),
  KEY `sample_check_ref_id` (`check_ref_id`),
  KEY `sample_at` (`at`),
  CONSTRAINT `sample_ibfk_1` FOREIGN KEY (`check_ref_id`) REFERENCES `check` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `shift` (
  `id` int NOT NULL AUTO_INCREMENT,
  `team_id` int NOT NULL,
  `person` varchar(255) NOT NULL,
  `day` date NOT NULL,
  `begins` time NOT NULL,
  `ends` time NOT NULL,
  PRIMARY KEY (`id`),
  KEY `shift_team_id` (`team_id`),
  CONSTRAINT `shift_ibfk_1` FOREIGN KEY (`team_id`) REFERENCES `team` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `team` (
  `id` int NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `parent_id` int DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `team_name` (`name`),
  KEY `team_parent_id` (`parent_id`),
  CONSTRAINT `team_ibfk_1` FOREIGN KEY (`parent_id`) REFERENCES `team` (`id`)
) ENGINE=InnoDB;
